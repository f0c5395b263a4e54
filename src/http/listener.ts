import { getRequestListener, RequestError } from '@hono/node-server'
import type { Hono } from 'hono'
import type { Environment } from './context.ts'
import type { RefusalObserver } from './problem.ts'
import { securityHeaders } from './request.ts'
import type { ServerOptions } from './server.ts'

/** The app as a listener of Node's servers. What is no request at all reaches no route and is answered here. */
export function createListener(
  app: Hono<Environment>,
  { log, refused }: Pick<RefusalObserver, 'log' | 'refused'>,
  { overrideGlobalObjects = true }: { readonly overrideGlobalObjects?: boolean } = {},
): ServerOptions['listener'] {
  return getRequestListener(app.fetch, {
    overrideGlobalObjects,
    // HTTP/1.0 has no Host header, and that of HTTP/1.1 may be empty.
    hostname: 'localhost',
    errorHandler: error => {
      if (!(error instanceof RequestError)) {
        log.error({ err: error }, 'request failed')
        refused('internal')
        return answer('internal: Internal Server Error\n', 500)
      }
      const code = 'request_malformed'
      const reason = `The request's target or its Host header is none (${error.message}).`
      log.info({ code, status: 400, reason }, 'request refused')
      refused(code)
      return answer(`${code}: ${reason}\n`, 400)
    },
  })
}

const answer = (text: string, status: number): Response =>
  new Response(text, { status, headers: { ...securityHeaders, 'Content-Type': 'text/plain; charset=utf-8' } })
