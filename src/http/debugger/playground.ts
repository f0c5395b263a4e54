import type { Handler } from 'hono'
import { getMimeType } from 'hono/utils/mime'
import type { Generation } from '../../protocol/generation.ts'
import { hubPath } from '../../protocol/topic.ts'
import type { Environment } from '../context.ts'
import { readToken } from '../tokens/token.ts'
import { type TokenCookies, tokenCookie } from './cookie.ts'

/** Where tutorials of either generation look for it. */
export const playgroundPaths: readonly string[] = ['/playground/*', '/demo/*', `${hubPath}/ui/demo/*`]

/** What a client expects that is told of no other name. */
const specifiedNames: Readonly<Record<Generation, string>> = {
  '0.x': 'mercureAuthorization',
  '1.0': '__Secure-mercure_access_token',
}

/**
 * `GET /playground/books/1.jsonld?body=…&jwt=…`: a resource that says what it is told to, names its hub, and sets the hub's cookie. Anybody can
 * make it say anything to anybody.
 */
export function playgroundHandler(cookies: TokenCookies): Handler<Environment> {
  return c => {
    const request = c.get('request')
    const { path, query, origin } = request
    const jwt = query.get('jwt') || null
    const [generation = '0.x'] = cookies.accepted
    const token = jwt === null ? null : readToken(jwt, generation)
    const cookie = tokenCookie(cookies, request, token?.generation ?? generation, token?.text ?? null)
    for (const header of cookie.headers) c.header('Set-Cookie', header, { append: true })
    const cookieName =
      cookie.name === specifiedNames[token?.generation ?? generation] ? '' : `; cookie-name="${cookie.name}"`
    c.header('Link', `<${hubPath}>; rel="mercure"${cookieName}`, { append: true })
    c.header('Link', `<${origin}${encodeURI(path).replaceAll('%25', '%')}>; rel="self"`, { append: true })
    return c.body(query.get('body') ?? '', 200, {
      ...request.answerHeaders,
      'Content-Type': getMimeType(path) ?? 'text/plain; charset=utf-8',
      'Cache-Control': 'no-store',
      // Whatever it is told to be, as a page it runs nothing.
      'Content-Security-Policy': "default-src 'none'; sandbox",
    })
  }
}
