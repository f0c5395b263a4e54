import type { Http2Bindings, HttpBindings } from '@hono/node-server'
import type { MiddlewareHandler } from 'hono'
import { HubError } from '../errors.ts'
import { HubRequest, type RequestOptions } from './request.ts'

/** What handlers find in Hono's context. */
export interface Environment {
  Bindings: HttpBindings | Http2Bindings
  Variables: {
    request: HubRequest
  }
}

/** Prepares each request, and turns away those for other origins than the hub's own. */
export function prepareRequest(options: RequestOptions): MiddlewareHandler<Environment> {
  return async (c, next) => {
    const request = new HubRequest(c.env.incoming, options)
    c.set('request', request)
    const fault = findFault(request, c.env.incoming)
    if (fault !== undefined) throw new HubError('request_malformed', fault)
    if (options.publicUrls.length > 0 && !options.publicUrls.includes(request.origin)) {
      throw new HubError('misdirected_request', `This hub does not answer for ${request.origin}: see public_urls.`)
    }
    await next()
  }
}

/** What Node's parser lets pass though nobody should answer it: who stands in front of the hub may have read it differently. */
function findFault(request: HubRequest, { httpVersion }: Environment['Bindings']['incoming']): string | undefined {
  if (httpVersion === '0.9') return 'The request line has no version: HTTP/1.1 is expected.'
  const hosts = request.header('host').length
  if (hosts > 1) return `The request has ${hosts} Host headers; send one.`
  return undefined
}
