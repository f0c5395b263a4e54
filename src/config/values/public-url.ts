import { invalid, quote } from '../invalid.ts'

/**
 * Reads a URL by which the hub is reached and gives its origin. The hub's own path may follow it.
 * @throws HubError `configuration_invalid`
 */
export function parsePublicUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw invalid(`${quote(text)} is not an http or https URL; write it like https://hub.example.com.`)
  }
  const plain = url.username === '' && url.password === '' && url.search === '' && url.hash === ''
  if (!plain || !/^\/(\.well-known\/mercure)?$/.test(url.pathname)) {
    throw invalid(`must be scheme, host and port only, like ${quote(url.origin)}.`)
  }
  return url.origin
}

/**
 * Reads the identifier that v1 tokens must have in `aud` (RFC 8707: an absolute URI without fragment).
 * @throws HubError `configuration_invalid`
 */
export function parseResourceIdentifier(text: string): string {
  if (!URL.canParse(text))
    throw invalid(`${quote(text)} is not an absolute URL, like https://hub.example.com/.well-known/mercure.`)
  if (text.includes('#')) throw invalid(`${quote(text)} has a fragment ("#…"), which an identifier must not have.`)
  return text
}
