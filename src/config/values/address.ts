import { isIPv6 } from 'node:net'
import { invalid, quote } from '../invalid.ts'

/** Where a server listens. */
export interface Address {
  /** A name or an IP address (IPv6 without brackets); empty: every interface. */
  readonly host: string
  /** 0: any free port. */
  readonly port: number
}

const services: Readonly<Record<string, number>> = { http: 80, https: 443 }

/**
 * Reads `:3000`, `127.0.0.1:3000`, `localhost:http`, `[::1]:3000`.
 * @throws HubError `configuration_invalid`
 */
export function parseAddress(text: string): Address {
  if (/^\d+$/.test(text))
    throw invalid(`${text} is only a port. Did you mean ":${text}" (every interface) or "127.0.0.1:${text}"?`)
  if (/^[a-z]+:\/\//i.test(text))
    throw invalid(`${quote(text)} is a URL; write host:port, like ":3000" or "127.0.0.1:3000".`)
  const [, bracketed, name = '', service] = /^(?:\[([^\]]+)\]|([^\s:[\]/]*))(?::([a-z]+|\d{1,5}))?$/.exec(text) ?? []
  if (service === undefined || (bracketed !== undefined && !isIPv6(bracketed))) {
    throw invalid(`${quote(text)} is not an address; write host:port, like ":3000", "127.0.0.1:3000" or "[::1]:3000".`)
  }
  const port = services[service] ?? Number(service)
  if (!(port <= 65535)) throw invalid(`${quote(text)}: the port must be a number up to 65535, "http" or "https".`)
  return { host: bracketed ?? name, port }
}

export const formatAddress = ({ host, port }: Address): string => `${isIPv6(host) ? `[${host}]` : host}:${port}`

/** Can not both be listened to. */
export function clash(a: Address, b: Address): boolean {
  if (a.port !== b.port || a.port === 0) return false
  return a.host === b.host || isEveryInterface(a.host) || isEveryInterface(b.host)
}

export const isEveryInterface = (host: string): boolean => host === '' || host === '0.0.0.0' || host === '::'

/** Only programs on the same machine reach it. */
export const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127\./.test(host)
