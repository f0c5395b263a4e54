import { isIP, SocketAddress } from 'node:net'

/** No address with a zone or a port is longer. */
const maxLength = 100

/** An IP address in its one spelling, IPv4 as such where it is written as IPv6, zones left out. `undefined`: it is none. */
export function readAddress(text: string): string | undefined {
  if (text.length > maxLength) return undefined
  const version = isIP(text)
  if (version === 4) return text
  if (version !== 6) return undefined
  const { address } = new SocketAddress({ address: text, family: 'ipv6' })
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1] ?? address
}

/**
 * The address of a node as proxies write it, with a port or without: `192.0.2.1:80`, `[2001:db8::1]:80`, `2001:db8::1`. `undefined`: it
 * tells none, as `unknown` and `_hidden` do (RFC 7239, section 6).
 */
export function readNode(text: string): string | undefined {
  if (text.length > maxLength) return undefined
  const [, bracketed, dotted] = /^(?:\[([^\]]*)\](?::[\w.-]+)?|([\d.]+):[\w.-]+)$/.exec(text) ?? []
  return readAddress(bracketed ?? dotted ?? text)
}

/** By what one sender is counted: its IPv4 address, or the /64 that a single subscriber of IPv6 usually has for itself. */
export function networkOf(address: string): string {
  if (isIP(address) !== 6) return address
  const [left = '', right] = address.split('::')
  const first = groupsOf(left)
  const zeros = right === undefined ? 0 : 8 - first.length - groupsOf(right).length
  const groups = [...first, ...new Array<string>(zeros).fill('0'), ...groupsOf(right ?? '')]
  return `${groups.slice(0, 4).join(':')}::/64`
}

/** Dots stand for two groups, and only at the end. */
const groupsOf = (text: string): string[] =>
  text === '' ? [] : text.split(':').flatMap(group => (group.includes('.') ? [group, group] : [group]))
