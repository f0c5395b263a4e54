import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import { readAddress, readNode } from './ip-address.ts'
import type { TrustedProxies } from './trusted-proxies.ts'

/** What trusted proxies say of a request; `undefined`: they do not tell. */
export interface Forwarded {
  /** The last sender, seen from the hub, that is no trusted proxy. */
  readonly address: string | undefined
  readonly scheme: string | undefined
  readonly host: string | undefined
}

/** Nobody has more proxies in a row, and a client may write as many as it likes. */
const maxProxies = 20
/** A longer `Forwarded` is not read. */
const maxForwardedLength = 8192

/**
 * What `X-Forwarded-For`, `-Proto` and `-Host`, or `Forwarded` (RFC 7239), say, as far as trusted proxies have written it: each adds
 * to the right end, or overwrites, and what is left of the first untrusted address is hearsay. `undefined`: the peer is none of them.
 */
export function readForwarded(
  { headers, socket }: IncomingMessage | Http2ServerRequest,
  proxies: TrustedProxies,
): Forwarded | undefined {
  const peer = peerAddress(socket)
  // Without an address: a socket of this machine, or the application that has the hub in it.
  if (peer === undefined ? socket.destroyed : !proxies.has(peer)) return undefined
  const elements = parseForwarded(headers.forwarded)
  const listed = textOf(headers, 'x-forwarded-for')
  const nodes = listed === undefined ? elements.map(element => element.get('for') ?? '').reverse() : fromRight(listed)
  const { address, proxiesPassed } = findSender(nodes, peer, proxies)
  const tell = (name: 'proto' | 'host') =>
    elementAt(textOf(headers, `x-forwarded-${name}`), proxiesPassed) ?? nearest(elements, proxiesPassed, name)
  return { address, scheme: tell('proto'), host: tell('host') }
}

/** Who is connected; `undefined`: that has no address, or is gone. */
export const peerAddress = (socket: { readonly remoteAddress?: string | undefined }): string | undefined =>
  readAddress(socket.remoteAddress ?? '')

/** Who cannot be told, because a proxy hides it, is counted as the proxy that does. */
function findSender(
  nodes: Iterable<string>,
  peer: string | undefined,
  proxies: TrustedProxies,
): { address: string | undefined; proxiesPassed: number } {
  let address = peer
  let proxiesPassed = 0
  for (const text of nodes) {
    const node = readNode(text)
    if (node === undefined || proxiesPassed === maxProxies) break
    address = node
    if (!proxies.has(node)) break
    proxiesPassed++
  }
  return { address, proxiesPassed }
}

function textOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  const text = Array.isArray(value) ? value.join(',') : value
  return text === undefined || text.trim() === '' ? undefined : text
}

/** The elements of a list, the last one first, cut off as they are asked for. */
function* fromRight(list: string): Generator<string> {
  for (let end = list.length; end >= 0; ) {
    const comma = end === 0 ? -1 : list.lastIndexOf(',', end - 1)
    yield list.slice(comma + 1, end).trim()
    end = comma
  }
}

/** The element so many places from the right; of a shorter list, which a proxy has begun anew, its first. */
function elementAt(list: string | undefined, place: number): string | undefined {
  if (list === undefined) return undefined
  let found = ''
  let at = 0
  for (const element of fromRight(list)) {
    found = element
    if (at++ === place) break
  }
  return found === '' ? undefined : found
}

type Element = ReadonlyMap<string, string>

/** The parameter of the element at this place, or of the first to the right of it, which are all of trusted proxies. */
function nearest(elements: readonly Element[], place: number, name: string): string | undefined {
  const first = Math.max(0, elements.length - 1 - place)
  return elements
    .slice(first)
    .find(element => element.has(name))
    ?.get(name)
}

/** The elements of RFC 7239, section 4. Of what is not written so, nothing is known: none. */
function parseForwarded(text: string | undefined): Element[] {
  if (text === undefined || text.length > maxForwardedLength) return []
  const pair = /(?:[ \t]*([\w!#$%&'*+.^`|~-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?[ \t]*(;|,|$)/y
  const elements: Element[] = []
  let element = new Map<string, string>()
  for (let mark: string | undefined = ','; mark !== ''; ) {
    const [, name, quoted, token = '', end] = pair.exec(text) ?? []
    if (end === undefined) return []
    const key = name?.toLowerCase()
    if (key !== undefined && !element.has(key)) element.set(key, quoted?.replace(/\\(.)/g, '$1') ?? token)
    mark = end
    if (mark === ';') continue
    if (element.size > 0) elements.push(element)
    element = new Map()
  }
  return elements
}
