import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { LRUCache } from 'lru-cache'
import type { Forwarded } from './forwarded.ts'

/** `scheme://host[:port]` under which the client reached the hub: as trusted proxies say, or else as the connection does. */
export function requestOrigin(
  { headers, socket }: IncomingMessage | Http2ServerRequest,
  forwarded: Forwarded | undefined,
): string {
  const own = (socket as TLSSocket).encrypted === true ? 'https' : 'http'
  const claimed = forwarded?.scheme ?? own
  const scheme = /^https?$/i.test(claimed) ? claimed : own
  const host = forwarded?.host ?? ((headers[':authority'] ?? headers.host) || 'localhost')
  return canonical(`${scheme}://${host}`)
}

/** Nearly every request names the same few hosts, and parsing a URL costs as much as all else that is asked of one. */
const known = new LRUCache<string, string>({ max: 100 })
/** A domain name has 253 characters at most: longer texts are not remembered. */
const maxKnownLength = 300

function canonical(origin: string): string {
  const found = known.get(origin)
  if (found !== undefined) return found
  const lower = origin.toLowerCase()
  const result = URL.canParse(lower) ? new URL(lower).origin : lower
  if (origin.length <= maxKnownLength) known.set(origin, result)
  return result
}
