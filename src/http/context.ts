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
    if (options.publicUrls.length > 0 && !options.publicUrls.includes(request.origin)) {
      throw new HubError('misdirected_request', `This hub does not answer for ${request.origin}: see public_urls.`)
    }
    await next()
  }
}
