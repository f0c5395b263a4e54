import type { Http2Bindings, HttpBindings } from '@hono/node-server'
import type { Generation } from '../protocol/generation.ts'
import type { Grant } from '../protocol/grant.ts'
import type { CompileMatcher } from '../protocol/matcher.ts'
import type { Role } from './authenticate.ts'
import type { Form } from './form.ts'

/** What the middleware of `app.ts` prepares for every handler. */
export interface Environment {
  Bindings: HttpBindings | Http2Bindings
  Variables: {
    /** Security and CORS headers, to be sent with every answer. */
    headers: Record<string, string>
    /** The path as it was sent, percent-encoded: a `%2F` in a segment is no separator. */
    path: string
    /** The query as it was sent, without the question mark. */
    search: string
    /** The parsed query. */
    query: Form
    /** `scheme://host[:port]` under which the client reached the hub. */
    origin: string
    /** Compiles matchers against the hub URL that this request used: what relative topics are relative to. */
    compile: CompileMatcher
    /** The grant of this request's token; `null`: it brings none. */
    authenticate: (role: Role) => Promise<Grant | null> | Grant | null
    /** The generation whose statuses apply while no token tells. */
    presumedGeneration: () => Generation
  }
}
