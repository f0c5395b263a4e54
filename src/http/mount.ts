import { IncomingMessage, type ServerResponse } from 'node:http'
import { Http2ServerRequest } from 'node:http2'
import { Hono } from 'hono'
import { hubPath } from '../protocol/topic.ts'
import type { createApp } from './app.ts'
import { bodyWasRead } from './body.ts'
import { Exchanges } from './exchanges.ts'
import { createInMemoryFetch } from './in-memory-fetch.ts'
import { createListener } from './listener.ts'
import type { RefusalObserver } from './problem.ts'
import { splitTarget, textHeaders } from './request.ts'
import type { Request, Response } from './stream.ts'
import { metadataPath } from './tokens/metadata.ts'

/** A hub's routes in the server of an application, at the paths of the specification and nowhere else. */
export function createMount(routes: ReturnType<typeof createApp>, observer: Pick<RefusalObserver, 'log' | 'refused'>) {
  const exchanges = new Exchanges()
  // The application's own Request and Response are not to be replaced.
  const answer = createListener(routes, observer, { overrideGlobalObjects: false })
  const listener = (request: Request, response: Response, next?: () => void): void => {
    if (isOfHub(splitTarget(request.url).path)) {
      exchanges.add(response)
      void answer(request, response)
    } else if (next !== undefined) next()
    else (response as ServerResponse).writeHead(404, textHeaders).end('not_found: There is nothing at this path.\n')
  }
  const fetchInMemory = createInMemoryFetch(listener)
  const fetch = async (request: globalThis.Request): Promise<globalThis.Response> => {
    if (!request.bodyUsed) return fetchInMemory(request)
    const { code, message } = bodyWasRead()
    const { method, url } = request
    observer.log.error({ code, status: 500, method, path: new URL(url).pathname, reason: message }, 'request refused')
    observer.refused(code)
    return new Response(`${code}: ${message}\n`, { status: 500, headers: textHeaders })
  }
  const app = new Hono()
  for (const path of [hubPath, `${hubPath}/*`, metadataPath]) {
    app.all(path, c => {
      if (!isOfNode(c.env)) return fetch(c.req.raw)
      exchanges.add(c.env.outgoing)
      return routes.fetch(c.req.raw, c.env)
    })
  }
  return {
    app,
    listener,
    fetch,
    /** Resolves when no answer is under way; those that are after `graceMs` are cut. Streams end when the hub is closed. */
    close: (graceMs: number) => exchanges.close(graceMs),
  }
}

const isOfHub = (path: string): boolean => path === hubPath || path.startsWith(`${hubPath}/`) || path === metadataPath

/** Other servers than Node's do not give what its streams are written to. */
function isOfNode(env: unknown): env is Parameters<ReturnType<typeof createApp>['fetch']>[1] & {
  outgoing: Response
} {
  const incoming = (env as { incoming?: unknown } | undefined)?.incoming
  return incoming instanceof IncomingMessage || incoming instanceof Http2ServerRequest
}
