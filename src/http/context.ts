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

/** Prepares each request, and turns away what is none. */
export function prepareRequest(options: RequestOptions): MiddlewareHandler<Environment> {
  return async (c, next) => {
    const request = new HubRequest(c.env.incoming, options)
    c.set('request', request)
    const fault = findFault(request, c.env.incoming)
    if (fault !== undefined) throw new HubError('request_malformed', fault)
    await next()
  }
}

/** Turns away requests for other origins than the hub's own (RFC 9110, section 15.5.20). */
export function refuseOtherOrigins(publicUrls: readonly string[]): MiddlewareHandler<Environment> {
  return async (c, next) => {
    const { origin } = c.get('request')
    if (!publicUrls.includes(origin)) {
      throw new HubError('misdirected_request', `This hub does not answer for ${origin}: see public_urls.`)
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
