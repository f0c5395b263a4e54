import { isIP } from 'node:net'
import { invalid, quote } from '../invalid.ts'

/** Every network that is nobody's on the internet, in one word. */
export const privateRanges = 'private_ranges'

/** This machine (RFC 1122, RFC 4291), private networks (RFC 1918) and unique local addresses (RFC 4193). */
const privateNetworks = ['127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '::1/128', 'fc00::/7'] as const

/**
 * Reads an address (`192.0.2.1`, `2001:db8::1`), a network (`10.0.0.0/8`) or `private_ranges`. Gives an address as a network of one.
 * @throws HubError `configuration_invalid`
 */
export function parseNetwork(text: string): string {
  if (text.toLowerCase() === privateRanges) return privateRanges
  const [, address = '', prefix] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const version = isIP(address)
  if (version === 0) {
    throw invalid(
      `${quote(text)} is not an address (192.0.2.1, 2001:db8::1), a network (10.0.0.0/8) or ${privateRanges}.`,
    )
  }
  if (/^[0:]*:ffff:/i.test(address)) throw invalid(`${quote(text)}: write an IPv4 address as such, like 192.0.2.1.`)
  const bits = version === 4 ? 32 : 128
  if (Number(prefix ?? bits) > bits) {
    throw invalid(`${quote(text)}: an IPv${version} address has ${bits} bits, the number behind the / is of them.`)
  }
  return `${address}/${prefix ?? bits}`
}

/** The networks that a value of `parseNetwork` stands for. */
export const networksOf = (value: string): readonly string[] => (value === privateRanges ? privateNetworks : [value])
