/** Text of a request header: Node gives the bytes as Latin-1, clients send UTF-8 (an event id may hold any character). */
export const headerText = (value: string): string =>
  /[\x80-\xff]/.test(value) ? Buffer.from(value, 'latin1').toString('utf8') : value

/** Text as a response header's value: UTF-8 bytes, with the control characters that would end or break it percent-encoded. */
export const headerValue = (text: string): string =>
  Buffer.from(text, 'utf8')
    .toString('latin1')
    .replace(/[\0-\x1f\x7f]/g, percentEncode)

/** Text as a quoted-string (RFC 9110, section 5.6.4). */
export const quotedString = (text: string): string => `"${headerValue(text).replace(/["\\]/g, '\\$&')}"`

/** Text as an entity tag's opaque part (RFC 9110, section 8.8.3), with what may not stand in it percent-encoded. */
export const entityTagText = (text: string): string =>
  Buffer.from(text, 'utf8')
    .toString('latin1')
    .replace(/[\0-\x20"%\x7f]/g, percentEncode)

/** Part of a request's target as a URI: clients send bytes that none may have, and that would end it in a header. */
export const uriText = (text: string): string => text.replace(/[^\w!#$%&'()*+,./:;=?@~[\]-]/g, percentEncode)

const percentEncode = (character: string): string =>
  `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
