import type { Handler } from 'hono'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub/hub.ts'
import { textHeaders } from './request.ts'

/** `GET /healthz`: the process answers. */
export function livenessHandler(): Handler {
  return c => c.body('ok\n', 200, textHeaders)
}

/** `GET /readyz`: updates can be stored and delivered now; if not, 503 with the reason, for the operator. */
export function readinessHandler(hub: Hub, log: { error(fields: object, message: string): void }): Handler {
  return async c => {
    try {
      await hub.ready()
      return c.body('ready\n', 200, textHeaders)
    } catch (error) {
      if (error instanceof HubError) return c.body(`${error.code}: ${error.message}\n`, 503, textHeaders)
      log.error({ err: error }, 'not ready')
      return c.body('internal: The transport failed; see the log.\n', 503, textHeaders)
    }
  }
}
