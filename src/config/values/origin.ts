import { domainToASCII } from 'node:url'
import { invalid, quote } from '../invalid.ts'

const defaultPorts: Readonly<Record<string, string>> = { http: '80', https: '443' }

/**
 * Reads an origin as browsers send it (`https://example.com`, `http://localhost:3000`, `capacitor://localhost`), `*`, `null`, or one with
 * a single `*` inside (`https://*.example.com`, `http://localhost:*`). Gives it in lower case, without a default port.
 * @throws HubError `configuration_invalid`
 */
export function parseOrigin(text: string): string {
  if (text === '*' || text === 'null') return text
  const [, scheme, host, port] =
    /^([a-z][a-z0-9+.-]*):\/\/(\[[0-9a-f:]+\]|[^\s:/?#@[\]]*)(?::(\d{1,5}|\*))?$/.exec(text.toLowerCase()) ?? []
  if (scheme === undefined || host === undefined) throw invalid(`${quote(text)} is not an origin${hint(text)}`)
  const web = scheme === 'http' || scheme === 'https'
  if (host === '' && (web || port !== undefined))
    throw invalid(`${quote(text)} has no host; write it like https://example.com.`)
  if (Number(port) > 65535) throw invalid(`${quote(text)}: the port must be a number up to 65535.`)
  if (text.split('*').length > 2) throw invalid(`${quote(text)} has more than one "*"; an origin may hold one.`)
  const ascii = host === '' || host.startsWith('[') ? host : domainToASCII(host)
  if (ascii === '' && host !== '') throw invalid(`${quote(text)}: "${host}" is not a host name.`)
  return `${scheme}://${ascii}${port === undefined || port === defaultPorts[scheme] ? '' : `:${port}`}`
}

function hint(text: string): string {
  if (/^[a-z][a-z0-9+.-]*:\/\/[^/?#@]+\/$/i.test(text))
    return `: leave out the slash at its end ("${text.slice(0, -1)}").`
  if (!text.includes('://') && /^[\w.*-]+(:\d+)?$/.test(text))
    return `: the scheme is missing. Did you mean "https://${text}"?`
  return '; write scheme://host or scheme://host:port, without path, query or user.'
}
