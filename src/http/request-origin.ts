import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import type { TLSSocket } from 'node:tls'

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
  const origin = `${scheme.toLowerCase()}://${String(host).toLowerCase()}`
  return URL.canParse(origin) ? new URL(origin).origin : origin
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
