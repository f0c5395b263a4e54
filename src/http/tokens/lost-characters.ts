import { createHmac, timingSafeEqual } from 'node:crypto'
import { developmentSecret, parseJwk } from './signing.ts'
import type { Token } from './token.ts'

/** A shared secret that a hub is configured with, as text, and what its configuration calls it. */
export interface NamedSecret {
  readonly name: string
  readonly text: string
}

/** Secrets that documentation prints, and that are left in use by accident. */
const wellKnownSecrets = [developmentSecret, '!ChangeMe!']

/** Of the hub's other secrets: a hub may have any number of issuers. */
const maxOthers = 16

/**
 * Which well-known mistake explains a token whose signature does not fit `own`: a secret that was changed on its way through a shell, a
 * file or a library, or another one. Says also how to mend it, and shows no secret; `undefined`: none of them. Some 60 HMACs at most.
 */
export function explainSignature(
  token: Token,
  own: NamedSecret | undefined,
  others: readonly NamedSecret[],
): string | undefined {
  const end = token.text.lastIndexOf('.')
  const cut = explainLength(token.header.alg, token.text.length - end - 1)
  if (cut !== undefined) return cut
  const hash = hashOf(token.header.alg)
  if (hash === undefined) return undefined
  const signature = Buffer.from(token.text.slice(end + 1), 'base64url')
  const signed = token.text.slice(0, end)
  const fits = (secret: string | Buffer): boolean => {
    const expected = createHmac(hash, secret).update(signed).digest()
    return expected.length === signature.length && timingSafeEqual(expected, signature)
  }
  if (own !== undefined) {
    if (fits(bytesOf(own.text))) return `The key of ${own.name} fits: only the algorithm is another.`
    for (const [change, secret] of variantsOf(own.text)) {
      if (secret.length > 0 && fits(secret)) return `It was signed with the key of ${own.name} ${change}. ${sameKey}`
    }
  }
  const other = others.slice(0, maxOthers).find(({ text }) => text !== own?.text && fits(bytesOf(text)))
  if (other !== undefined)
    return `It was signed with the key of ${other.name}: use the one of the other role or issuer.`
  if (fits('')) return 'It was signed with an empty key: set the variable from which its issuer takes the key.'
  return wellKnownSecrets.some(fits)
    ? "It was signed with the well-known key of the documentation: give its issuer the hub's own."
    : undefined
}

/** How many characters of base64url the signatures of an algorithm have; those of RSA have as many as their key asks for. */
const signatureLengths: ReadonlyMap<unknown, number> = new Map([
  ...([
    ['HS256', 43],
    ['HS384', 64],
    ['HS512', 86],
  ] as const),
  ...([
    ['ES256', 86],
    ['ES384', 128],
    ['ES512', 176],
    ['EdDSA', 86],
    ['Ed25519', 86],
  ] as const),
])

function explainLength(algorithm: unknown, length: number): string | undefined {
  const whole = signatureLengths.get(algorithm)
  if (whole === undefined || length === whole) return undefined
  const flaw = length < whole ? 'its end was cut off' : 'something was added to it'
  return `Its signature has ${length} characters, and one of ${algorithm} has ${whole}: ${flaw} on the way. Send the token as it was issued.`
}

const sameKey =
  'Give its issuer and the hub the same characters: single quotes in a shell, $$ for $ in compose files, or a file (jwt_key_file).'

function hashOf(algorithm: unknown): string | undefined {
  const bits = typeof algorithm === 'string' ? /^HS(256|384|512)$/.exec(algorithm)?.[1] : undefined
  return bits === undefined ? undefined : `sha${bits}`
}

/** What the hub takes a configured secret for: its UTF-8, or the bytes of a JWK. */
function bytesOf(text: string): Buffer {
  const jwk = parseJwk(text)
  return jwk === undefined ? Buffer.from(text) : Buffer.from(typeof jwk.k === 'string' ? jwk.k : '', 'base64url')
}

/** What becomes of a secret on the way from one place to the other, either way round; each follows "signed with the key". */
function* variantsOf(text: string): Iterable<readonly [change: string, secret: string | Buffer]> {
  const jwk = parseJwk(text)
  if (jwk !== undefined) {
    yield ['as the text of the JWK: decode its k, and take these bytes', text]
    if (typeof jwk.k === 'string') yield ['as the text of its k, which is base64url of the key', jwk.k]
    return
  }
  yield ['with a line break at its end', `${text}\n`]
  yield ['with a line break at its end', `${text}\r\n`]
  yield ['without the line break at its end', text.replace(/\r?\n$/, '')]
  yield ['without the white space around it', text.trim()]
  yield ['with a space at its end', `${text} `]
  yield ['with a byte order mark before it', `\ufeff${text}`]
  yield ['without the byte order mark before it', text.replace(/^\ufeff/, '')]
  yield ['with quotes around it that are no part of it', `"${text}"`]
  yield ['with quotes around it that are no part of it', `'${text}'`]
  yield ['without the quotes around it', text.replace(/^(["'])(.*)\1$/s, '$2')]
  yield [
    'without what begins with $, which a shell, compose or .env file takes for a variable',
    text.replace(variable, ''),
  ]
  yield ['with each $$ as one $, as compose files write it', text.replaceAll('$$', '$')]
  yield ['with each $ doubled, as compose files write it', text.replaceAll('$', '$$$$')]
  yield ['without what begins with !, which a shell takes for its history', text.replace(/!\w*/g, '')]
  yield ['with backslashes before its special characters', text.replaceAll('!', '\\!')]
  yield ['with backslashes before its special characters', text.replace(/[!$"'`\\]/g, '\\$&')]
  yield ['without its backslashes', text.replace(/\\(.)/gs, '$1')]
  yield ['with line breaks in the place of \\n', text.replaceAll('\\n', '\n')]
  yield ['with \\n in the place of line breaks', text.replaceAll('\n', '\\n')]
  for (const sign of ['#', '&', ';', ' ', '$', '!', '%']) {
    const at = text.indexOf(sign)
    if (at > 0) yield [`cut off before its first ${sign === ' ' ? 'space' : sign}`, text.slice(0, at).trimEnd()]
  }
  yield ['with a + for each space', text.replaceAll(' ', '+')]
  yield ['with a space for each +, as forms are decoded', text.replaceAll('+', ' ')]
  yield ['percent-encoded', encodeURIComponent(text.toWellFormed())]
  yield ['percent-decoded', percentDecode(text)]
  yield ['with &, <, > and quotes escaped as in HTML', escapeHtml(text)]
  yield ['decoded from base64', Buffer.from(text, 'base64')]
  yield ['decoded from hexadecimal digits', Buffer.from(text, 'hex')]
  yield ['encoded in base64', Buffer.from(text).toString('base64')]
  yield ['encoded in base64url', Buffer.from(text).toString('base64url')]
  yield ['encoded in hexadecimal digits', Buffer.from(text).toString('hex')]
  yield ['in Latin-1 and not in UTF-8', Buffer.from(text, 'latin1')]
  yield ['in another Unicode normal form', text.normalize('NFC')]
  yield ['in another Unicode normal form', text.normalize('NFD')]
}

/** `$NAME`, `${NAME…}`, `$1` and the like, as a shell reads them. */
const variable = /\$(?:\w+|\{[^}]*\}|[@*#?$!-])/g

function percentDecode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, character => entities[character] ?? character)
