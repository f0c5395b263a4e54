import fc from 'fast-check'

/** What a parser of lines and fields may stumble over. */
const pitfalls = [
  ...['\r', '\n', '\r\n', '\n\n', '\0', ':', ' ', '\t', '#', '%', '+', '&', '=', ';'],
  ...['\ufeff', '\u2028', '\u2029', '\x85', '\u200b', '\u202e', '\ufffd', '\ud83d\ude00', '\ud83d', '\ude00'],
  ...['data', 'data: ', '\ndata: x', '\nid: y\n', 'event:', 'retry: 1\n', 'earliest', '.well-known/mercure'],
]

/** Any text, lone surrogates included, with many line breaks, colons, and what else has a meaning on the wire. */
export const anyText: fc.Arbitrary<string> = fc
  .array(fc.oneof(fc.constantFrom(...pitfalls), fc.string({ unit: 'grapheme' }), codeUnits()), { maxLength: 12 })
  .map(parts => parts.join(''))

function codeUnits(): fc.Arbitrary<string> {
  return fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 4 }).map(units => String.fromCharCode(...units))
}
