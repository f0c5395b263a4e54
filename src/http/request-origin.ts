import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { LRUCache } from 'lru-cache'

/**
 * `scheme://host[:port]` under which the client reached the hub: as the connection says, or, where a trusted proxy stands in front,
 * as `X-Forwarded-Proto` and `X-Forwarded-Host` or `Forwarded` (RFC 7239) say.
 */
export function requestOrigin(request: IncomingMessage | Http2ServerRequest, useForwardedHeaders: boolean): string {
  const { headers } = request
  let scheme = (request.socket as TLSSocket).encrypted === true ? 'https' : 'http'
  let host = (headers[':authority'] ?? headers.host) || 'localhost'
  if (useForwardedHeaders) {
    const forwarded = firstElement(headers.forwarded)
    const claimed = firstElement(headers['x-forwarded-proto']) ?? parameter(forwarded, 'proto') ?? scheme
    if (/^https?$/i.test(claimed)) scheme = claimed
    host = firstElement(headers['x-forwarded-host']) ?? parameter(forwarded, 'host') ?? host
  }
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

/** The first element of a list: the one that the outermost proxy wrote. */
function firstElement(value: string | string[] | undefined): string | undefined {
  const first = (Array.isArray(value) ? value[0] : value)?.split(',', 1)[0]?.trim()
  return first === '' ? undefined : first
}

function parameter(element: string | undefined, name: string): string | undefined {
  for (const pair of element?.split(';') ?? []) {
    const [key, value] = pair.split('=', 2)
    if (key?.trim().toLowerCase() === name) return value?.trim().replace(/^"(.*)"$/, '$1')
  }
  return undefined
}
