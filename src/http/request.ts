import { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import type { Generation } from '../protocol/generation.ts'
import type { Grant } from '../protocol/grant.ts'
import type { CompileMatcher } from '../protocol/matcher.ts'
import { hubPath } from '../protocol/topic.ts'
import { corsHeaders } from './cors.ts'
import { Form } from './form.ts'
import { type Forwarded, peerAddress, readForwarded } from './forwarded.ts'
import { networkOf } from './ip-address.ts'
import { bringsMatch } from './matcher-parameters.ts'
import type { AllowedOrigins } from './origin.ts'
import { requestOrigin } from './request-origin.ts'
import type { Authenticator, Role } from './tokens/authenticate.ts'
import type { AuthenticationRequest } from './tokens/credentials.ts'
import type { TrustedProxies } from './trusted-proxies.ts'

export interface RequestOptions {
  readonly authenticator: Authenticator
  /** Compiles matchers that are relative to a hub URL. */
  readonly compileFor: (resource: string) => CompileMatcher
  /** `undefined`: answers say nothing of other origins. */
  readonly corsAllowedOrigins: AllowedOrigins | undefined
  /** Origins under which this hub answers; empty: any. */
  readonly publicUrls: readonly string[]
  /** Whose `X-Forwarded-*` and `Forwarded` count; `undefined`: nobody's. */
  readonly trustedProxies: TrustedProxies | undefined
}

/** Sent with every answer. */
export const securityHeaders: Record<string, string> = {
  'X-Frame-Options': 'DENY',
  'X-Content-Type-Options': 'nosniff',
  'X-XSS-Protection': '1; mode=block',
  'Content-Security-Policy': "default-src 'self'",
}

/** Of short answers that are no page's business. */
export const textHeaders: Record<string, string> = { ...securityHeaders, 'Content-Type': 'text/plain; charset=utf-8' }

/** The debugger page is below it. */
export const debugPath = `${hubPath}/debug`

/** A request as the hub's rules see it. */
export class HubRequest implements AuthenticationRequest {
  readonly method: string
  /** As it was sent, percent-encoded: a `%2F` in a segment is no separator. */
  readonly path: string
  /** The query as it was sent, without the question mark. */
  readonly search: string
  /** `scheme://host[:port]` under which the client reached the hub. */
  readonly origin: string
  /** Security and CORS headers, to be sent with whatever the answer is. The debugger page is for no page of another origin. */
  readonly answerHeaders: Readonly<Record<string, string>>
  readonly #incoming: IncomingMessage | Http2ServerRequest
  readonly #forwarded: Forwarded | undefined
  readonly #options: RequestOptions
  #query: Form | undefined
  #grant: Grant | undefined

  constructor(incoming: IncomingMessage | Http2ServerRequest, options: RequestOptions) {
    this.method = incoming.method ?? 'GET'
    const { path, search } = splitTarget(incoming.url)
    this.path = path
    this.search = search
    this.#forwarded = options.trustedProxies && readForwarded(incoming, options.trustedProxies)
    this.origin = requestOrigin(incoming, this.#forwarded)
    this.answerHeaders =
      options.corsAllowedOrigins === undefined || path.startsWith(debugPath)
        ? securityHeaders
        : { ...securityHeaders, ...corsHeaders(incoming.headers.origin, options.corsAllowedOrigins) }
    this.#incoming = incoming
    this.#options = options
  }

  /** The parsed query. @throws HubError `body_malformed` */
  get query(): Form {
    this.#query ??= new Form().append(this.search, 'query')
    return this.#query
  }

  /** By what its sender is counted: an address, or the network of one; `undefined`: it has none, or is gone. */
  get senderAddress(): string | undefined {
    const address = this.#forwarded === undefined ? peerAddress(this.#incoming.socket) : this.#forwarded.address
    return address && networkOf(address)
  }

  get queryAuthorization(): readonly string[] {
    return this.query.getAll('authorization')
  }

  get topicParameter(): boolean {
    return this.#subscribes && this.query.has('topic')
  }

  get matchParameter(): boolean {
    return this.#subscribes && bringsMatch(this.query)
  }

  /** Elsewhere the query's matchers mean nothing. */
  get #subscribes(): boolean {
    return this.path === hubPath && this.method !== 'POST'
  }

  /** Every value of a header as it was sent: Node joins repeated ones, or keeps the first. */
  header(name: string): readonly string[] {
    if (this.#incoming instanceof IncomingMessage) return this.#incoming.headersDistinct[name] ?? []
    const { rawHeaders } = this.#incoming
    return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)
  }

  /** The grant of this request's token; `null`: it brings none. @throws HubError for a token that is not accepted */
  authenticate(role: Role): Grant | null | Promise<Grant | null> {
    const found = this.#options.authenticator.authenticate(this, role)
    return found instanceof Promise ? found.then(grant => this.#keep(grant)) : this.#keep(found)
  }

  #keep(grant: Grant | null): Grant | null {
    this.#grant = grant ?? undefined
    return grant
  }

  /** The `sub` of its token, if that was accepted. */
  get subject(): string | undefined {
    return this.#grant?.subject
  }

  /** The generation whose statuses apply while no token tells. */
  get presumedGeneration(): Generation {
    return this.#options.authenticator.presume(this)
  }

  /** Compiles matchers relative to the hub's URL as this request addressed it: what relative topics are relative to. */
  get compile(): CompileMatcher {
    return this.#options.compileFor(this.#options.authenticator.resourceOf(this))
  }
}

/** Path and query of a request's target, as they were sent; its absolute form (RFC 9112, section 3.2.2) says the same. */
export function splitTarget(target = '/'): { path: string; search: string } {
  const relative = target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?#]*/i, '')
  const question = relative.indexOf('?')
  return question === -1
    ? { path: relative, search: '' }
    : { path: relative.slice(0, question), search: relative.slice(question + 1) }
}
