import type { Http2Bindings, HttpBindings } from '@hono/node-server'
import type { HubRequest } from './request.ts'

/** What handlers find in Hono's context. */
export interface Environment {
  Bindings: HttpBindings | Http2Bindings
  Variables: {
    request: HubRequest
  }
}
