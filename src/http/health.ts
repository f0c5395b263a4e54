import type { Handler } from 'hono'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub/hub.ts'
import type { Environment } from './context.ts'

/** `GET /healthz`: the process answers. */
export function livenessHandler(): Handler<Environment> {
  return c => c.body('ok\n', 200, { ...c.get('request')?.answerHeaders, 'Content-Type': 'text/plain; charset=utf-8' })
}

/** `GET /readyz`: updates can be stored and delivered now; if not, 503 with a sentence for the operator that says what is missing. */
export function readinessHandler(hub: Hub): Handler<Environment> {
  return async c => {
    const headers = { ...c.get('request')?.answerHeaders, 'Content-Type': 'text/plain; charset=utf-8' }
    try {
      await hub.ready()
      return c.body('ready\n', 200, headers)
    } catch (error) {
      return c.body(
        `not ready: ${error instanceof HubError ? error.message : 'the transport failed, see the log'}\n`,
        503,
        headers,
      )
    }
  }
}
