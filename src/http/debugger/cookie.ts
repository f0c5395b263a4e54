import type { Handler } from 'hono'
import { type CookieOptions, serialize } from 'hono/utils/cookie'
import * as z from 'zod'
import { HubError, quote } from '../../errors.ts'
import type { Generation } from '../../protocol/generation.ts'
import { hubPath } from '../../protocol/topic.ts'
import type { Environment } from '../context.ts'
import { readJson } from '../json-body.ts'
import type { HubRequest } from '../request.ts'
import { readToken } from '../tokens/token.ts'
import { answerJson } from './json.ts'

export interface TokenCookies {
  readonly names: { readonly [generation in Generation]: string }
  /** The generations that the hub speaks. */
  readonly accepted: readonly Generation[]
}

/** The cookie for a token, and the headers that set it and let every other one of the hub expire. Without a token all expire. */
export function tokenCookie(
  { names, accepted }: TokenCookies,
  { origin }: Pick<HubRequest, 'origin'>,
  generation: Generation,
  token: string | null,
): { readonly name: string; readonly headers: readonly string[] } {
  const isSecure = origin.startsWith('https:')
  // Browsers take such a name over TLS only; the cookie of 0.x may hold any token.
  const isRefused = !isSecure && hasPrefix(names[generation]) && accepted.includes('0.x')
  const name = names[isRefused ? '0.x' : generation]
  const others = new Set([names['0.x'], names['1.0']]).difference(new Set([name]))
  const write = (name: string, value: string, options: CookieOptions) =>
    serialize(name, value, {
      path: name.startsWith('__Host-') ? '/' : hubPath,
      httpOnly: true,
      sameSite: 'Strict',
      secure: isSecure || hasPrefix(name),
      ...options,
    })
  const expire = (name: string) => write(name, '', { maxAge: 0 })
  return { name, headers: [token === null ? expire(name) : write(name, token, {}), ...[...others].map(expire)] }
}

const hasPrefix = (name: string): boolean => /^__(Secure|Host)-/.test(name)

const shape = z.strictObject({
  token: z.string().nullable(),
  generation: z.enum(['0.x', '1.0']),
})

/** `POST debug/cookie`: sets the hub's cookie for its own page, or lets it expire. */
export function cookieHandler(cookies: TokenCookies): Handler<Environment> {
  return async c => {
    requireOwnPage(c.get('request'))
    const { token, generation } = await readJson(c, shape)
    if (token !== null) readToken(token, generation)
    const { name, headers } = tokenCookie(cookies, c.get('request'), generation, token)
    for (const header of headers) c.header('Set-Cookie', header, { append: true })
    return answerJson(c, { name })
  }
}

/** @throws HubError `origin_refused` */
function requireOwnPage(request: HubRequest): void {
  const { origin } = request
  const page = request.header('origin').join(', ')
  if (page === origin) return
  throw new HubError(
    'origin_refused',
    `The cookie is set for the hub's own page, at ${origin}; this request came from ${page === '' ? 'nowhere' : quote(page)}. Behind a proxy that ends TLS, use_forwarded_headers tells the hub its origin.`,
  )
}
