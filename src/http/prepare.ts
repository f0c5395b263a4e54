import { IncomingMessage } from 'node:http'
import type { MiddlewareHandler } from 'hono'
import { HubError } from '../errors.ts'
import type { CompileMatcher } from '../protocol/matcher.ts'
import type { Authenticator, Role } from './authenticate.ts'
import type { Environment } from './context.ts'
import { corsHeaders } from './cors.ts'
import type { AuthenticationRequest } from './credentials.ts'
import { Form } from './form.ts'
import { bringsMatch } from './matcher-parameters.ts'
import type { AllowedOrigins } from './origin.ts'
import { requestOrigin } from './request-origin.ts'

export interface PrepareOptions {
  readonly authenticator: Authenticator
  /** Compiles matchers that are relative to a hub URL. */
  readonly compileFor: (resource: string) => CompileMatcher
  /** `undefined`: answers say nothing of other origins. */
  readonly corsAllowedOrigins: AllowedOrigins | undefined
  /** Origins under which this hub answers; empty: any. */
  readonly publicUrls: readonly string[]
  readonly useForwardedHeaders: boolean
}

/** Sent with every answer. */
const securityHeaders: Record<string, string> = {
  'X-Frame-Options': 'DENY',
  'X-Content-Type-Options': 'nosniff',
  'X-XSS-Protection': '1; mode=block',
  'Content-Security-Policy': "default-src 'self'",
}

/** Reads what every handler needs of a request: path and query as sent, the headers of its answer, how to find its grant. */
export function prepareRequest(options: PrepareOptions): MiddlewareHandler<Environment> {
  const { authenticator, compileFor, corsAllowedOrigins, publicUrls, useForwardedHeaders } = options
  return async (c, next) => {
    const { incoming } = c.env
    c.set('headers', {
      ...securityHeaders,
      ...(corsAllowedOrigins === undefined ? {} : corsHeaders(incoming.headers.origin, corsAllowedOrigins)),
    })
    const target = incoming.url ?? '/'
    const question = target.indexOf('?')
    c.set('path', question === -1 ? target : target.slice(0, question))
    c.set('search', question === -1 ? '' : target.slice(question + 1))
    const origin = requestOrigin(incoming, useForwardedHeaders)
    c.set('origin', origin)
    if (publicUrls.length > 0 && !publicUrls.includes(origin)) {
      throw new HubError('misdirected_request', `This hub does not answer for ${origin}: see public_urls.`)
    }
    const query = new Form().append(c.var.search, 'query')
    c.set('query', query)
    c.set('authenticate', (role: Role) => authenticator.authenticate(describe(c.var), role))
    c.set('presumedGeneration', () => authenticator.presume(describe(c.var)))
    c.set('compile', (kind, pattern) => compileFor(authenticator.resourceOf({ origin }))(kind, pattern))
    await next()

    function describe({ query }: { query: Form }): AuthenticationRequest {
      return {
        method: incoming.method ?? 'GET',
        header: name => valuesOf(incoming, name),
        queryAuthorization: query.getAll('authorization'),
        topicParameter: query.has('topic'),
        matchParameter: bringsMatch(query),
        origin,
      }
    }
  }
}

/** Every value of a header as it was sent. HTTP/2 requests hold a repeated one as a list, where it may be repeated at all. */
function valuesOf(incoming: Environment['Bindings']['incoming'], name: string): readonly string[] {
  if (incoming instanceof IncomingMessage) return incoming.headersDistinct[name] ?? []
  const value = incoming.headers[name]
  return value === undefined ? [] : Array.isArray(value) ? value : [value]
}
