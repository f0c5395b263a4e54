import { hash, timingSafeEqual } from 'node:crypto'
import { Hono, type MiddlewareHandler } from 'hono'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub/hub.ts'
import type { Environment } from './context.ts'
import { describeRefusal, type RefusalObserver } from './problem.ts'
import { textHeaders } from './request.ts'
import { addRevocations } from './revocations.ts'

export interface AdminOptions extends Omit<RefusalObserver, 'authenticator'> {
  readonly hub: Hub
  /** What an operator's requests must have as their bearer token. */
  readonly secret: string
}

/** The address of its own from which operators change what the hub does. Whoever has no secret learns not even what there is. */
export function createAdminApp({ hub, secret, log, refused }: AdminOptions): Hono<Environment> {
  const app = new Hono<Environment>()
  app.onError((error, c) => {
    const { method, path } = c.req
    if (!(error instanceof HubError)) {
      log.error({ err: error, method, path }, 'request failed')
      refused('internal')
      return c.body('internal: Internal Server Error\n', 500, textHeaders)
    }
    const { code, message } = error
    const { status } = describeRefusal(error, '')
    const { remoteAddress: address } = c.env.incoming.socket
    log.info({ code, status, method, path, address, reason: message }, 'request refused')
    refused(code)
    if (status === 401) c.header('WWW-Authenticate', 'Bearer realm="admin"')
    return c.body(`${code}: ${message}\n`, status, textHeaders)
  })
  app.notFound(() => {
    throw new HubError('not_found', 'There is nothing at this path.')
  })
  app.use(requireSecret(secret))
  addRevocations(app, hub.revocations, log)
  return app
}

/** Compares digests, which are of one length, in a time that tells nothing. */
function requireSecret(secret: string): MiddlewareHandler<Environment> {
  const expected = hash('sha256', secret, 'buffer')
  return async (c, next) => {
    const [, given] = /^Bearer +(\S+)$/i.exec(c.env.incoming.headers.authorization ?? '') ?? []
    if (given === undefined || !timingSafeEqual(hash('sha256', given, 'buffer'), expected)) {
      throw new HubError('admin_secret_wrong', "The request does not have the hub's admin_secret.", {
        mend: 'Send it as "Authorization: Bearer …".',
      })
    }
    await next()
  }
}
