import type { MiddlewareHandler } from 'hono'
import { HubError } from '../errors.ts'
import { subscriptionsPath } from '../protocol/subscription.ts'
import { hubPath } from '../protocol/topic.ts'
import type { Follower, Operation } from '../tracing.ts'
import type { Environment } from './context.ts'
import type { HubRequest } from './request.ts'

/** Characters of a path that a trace has: a client may send as many as fit into a request head. */
const maxTracedPath = 1000

/**
 * Follows the operations of the hub from their requests to their answers. What a trace has of a request is named by OpenTelemetry's conventions for
 * HTTP servers; the query is left out, since it may hold a token.
 */
export function traceRequests(tracing: Follower): MiddlewareHandler<Environment> {
  return async (c, next) => {
    const request = c.get('request')
    const operation = operationOf(request)
    if (operation === undefined) return await next()
    const headers = { traceparent: request.header('traceparent'), tracestate: request.header('tracestate') }
    await tracing.follow(
      operation,
      async followed => {
        followed.learn({
          'http.request.method': request.method,
          'http.route': operation === 'mercure.subscriptions' ? `${subscriptionsPath}/*` : hubPath,
          'url.path': request.path.slice(0, maxTracedPath),
          'url.scheme': request.origin.slice(0, request.origin.indexOf(':')),
        })
        await next()
        const { status } = c.res
        followed.learn({ 'http.response.status_code': status })
        // By the same conventions, what is wrong with a request is no error of the server.
        if (c.error !== undefined) followed.fail(c.error, status >= 500 || !(c.error instanceof HubError))
      },
      headers,
    )
  }
}

/** `undefined`: nothing that a trace is made of. */
function operationOf({ method, path }: HubRequest): Operation | undefined {
  const reads = method === 'GET' || method === 'HEAD'
  if (path === hubPath) {
    if (method === 'POST') return 'mercure.publish'
    return reads || method === 'QUERY' ? 'mercure.subscribe' : undefined
  }
  const isOfApi = path === subscriptionsPath || path.startsWith(`${subscriptionsPath}/`)
  return reads && isOfApi ? 'mercure.subscriptions' : undefined
}
