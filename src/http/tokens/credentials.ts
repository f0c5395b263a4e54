import { parse as parseCookies } from 'hono/utils/cookie'
import { HubError, quote } from '../../errors.ts'
import type { Generation } from '../../protocol/generation.ts'
import type { AllowedOrigins } from '../origin.ts'

/** What authentication needs to know of a request. */
export interface AuthenticationRequest {
  readonly method: string
  /** Every value of a header, in order; `name` is in lower case. Repeated headers must not have been merged or dropped. */
  header(name: string): readonly string[]
  /** Every value of the URL query's `authorization`. */
  readonly queryAuthorization: readonly string[]
  /** The request subscribes with `topic` (0.x); false for publishing and for the subscription API. */
  readonly topicParameter: boolean
  /** The request subscribes with a parameter whose name starts with `match` (1.0). */
  readonly matchParameter: boolean
  /** scheme://host[:port] under which the request reached the hub: what a token's `aud` is compared with unless configured. */
  readonly origin: string
}

export interface Credential {
  readonly token: string
  readonly from: 'header' | 'query' | 'cookie'
}

/** Where this hub looks for tokens besides the Authorization header. */
export interface CredentialPlaces {
  readonly query: boolean
  /** The names of the cookies, in the order in which requests of each generation try them. */
  readonly cookies: { readonly [generation in Generation]: readonly string[] }
}

/** Shorter than any signed JWT: 48 bytes of header value with its `Bearer `. */
const minTokenLength = 41

/**
 * The token of a request, by the first place that holds one; `null`: the request has none, its sender is anonymous.
 * `generation` is whose statuses apply where the credential is too broken to tell.
 * @throws HubError `authorization_malformed`
 */
export function findCredential(
  request: AuthenticationRequest,
  places: CredentialPlaces,
  generation: Generation,
): Credential | null {
  const authorization = request.header('authorization')
  if (authorization.length > 0) return { token: readAuthorization(authorization, generation), from: 'header' }
  if (places.query && !request.matchParameter && request.queryAuthorization.length > 0) {
    return { token: readQuery(request.queryAuthorization), from: 'query' }
  }
  const cookies = request.header('cookie').join('; ')
  for (const name of places.cookies[generationOfParameters(request)]) {
    const token = parseCookies(cookies, name)[name]
    if (token !== undefined) return { token, from: 'cookie' }
  }
  return null
}

/** The generation that a request's parameters speak: `topic` alone is 0.x; `match*`, both, or neither is 1.0. */
export function generationOfParameters(
  request: Pick<AuthenticationRequest, 'topicParameter' | 'matchParameter'>,
): Generation {
  return request.topicParameter && !request.matchParameter ? '0.x' : '1.0'
}

function readAuthorization([value = '', ...more]: readonly string[], generation: Generation): string {
  if (more.length > 0) throw malformed(`The request has ${more.length + 1} Authorization headers; send one`, generation)
  // The name of a scheme is case-insensitive (RFC 9110, section 11.1); clients of both generations write `bearer` too.
  if (!/^bearer /i.test(value)) {
    throw malformed('The Authorization header is not of the form "Bearer TOKEN"', generation)
  }
  const token = value.slice('bearer '.length).trim()
  if (token.length < minTokenLength) {
    throw malformed('The token of the Authorization header is too short for a signed JWT', generation)
  }
  return token
}

function readQuery([token = '', ...more]: readonly string[]): string {
  if (more.length > 0) throw malformed(`The query has ${more.length + 1} "authorization" parameters; send one`, '0.x')
  if (token.length < minTokenLength) {
    throw malformed('The "authorization" parameter is too short for a signed JWT', '0.x')
  }
  return token
}

const malformed = (rule: string, generation: Generation): HubError =>
  new HubError('authorization_malformed', `${rule}.`, {
    generation,
    mend: 'A request has one token, as it was issued: "Authorization: Bearer <JWT>".',
  })

/** Methods that change nothing, so that another site gains nothing by making a browser send them with its cookies. */
const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'QUERY'])

/**
 * Browsers attach cookies to requests that other sites make: an unsafe request whose token is a cookie must come from an allowed page.
 * @throws HubError `origin_missing`, `origin_refused`
 */
export function checkOrigin(request: AuthenticationRequest, allowed: AllowedOrigins, generation: Generation): void {
  if (safeMethods.has(request.method)) return
  const origin = request.header('origin').join(', ')
  const referer = request.header('referer')[0] ?? ''
  if (origin === '' && referer === '') {
    throw new HubError(
      'origin_missing',
      'The token came in a cookie, and neither Origin nor Referer tells which page sent it. Send the token in the Authorization header instead.',
      { generation },
    )
  }
  const page = origin === '' ? originOf(referer) : origin
  if (page !== undefined && allowed.allows(page)) return
  const shown = page === undefined ? 'The Referer' : `The origin ${quote(page)}`
  throw new HubError(
    'origin_refused',
    `${shown} is not among the origins that may publish with a cookie (publish_allowed_origins).`,
    {
      generation,
    },
  )
}

/** Not `URL.origin`, which is "null" for the schemes of packaged applications. */
function originOf(referer: string): string | undefined {
  if (!URL.canParse(referer)) return undefined
  const { protocol, host } = new URL(referer)
  return `${protocol}//${host}`
}
