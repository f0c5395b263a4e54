import { HubError, quote } from '../errors.ts'

/** Decoded `application/x-www-form-urlencoded` pairs, in order: a publish body, a QUERY body, or a URL's query. */
export class Form {
  readonly #names: string[] = []
  readonly #values: string[] = []
  /** Names of fields whose bytes were not valid UTF-8; their values hold U+FFFD in the place of each bad sequence. */
  readonly notUtf8: Set<string> = new Set()

  /** @throws HubError `body_malformed` for a `%` that two hexadecimal digits do not follow */
  append(text: string, source: string): this {
    if (text === '') return this
    for (const pair of text.split('&')) {
      if (pair === '') continue
      const equals = pair.indexOf('=')
      const name = this.#decode(equals === -1 ? pair : pair.slice(0, equals), undefined, source)
      this.#values.push(equals === -1 ? '' : this.#decode(pair.slice(equals + 1), name, source))
      this.#names.push(name)
    }
    return this
  }

  has(name: string): boolean {
    return this.#names.includes(name)
  }

  /** The first value of a field. */
  get(name: string): string | undefined {
    const index = this.#names.indexOf(name)
    return index === -1 ? undefined : this.#values[index]
  }

  getAll(name: string): string[] {
    return this.#values.filter((_, index) => this.#names[index] === name)
  }

  /** Distinct field names, in order of appearance. */
  names(): Set<string> {
    return new Set(this.#names)
  }

  #decode(text: string, name: string | undefined, source: string): string {
    const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
    if (!spaced.includes('%')) return spaced
    try {
      return decodeURIComponent(spaced)
    } catch {
      const malformed = /%(?![0-9a-f]{2}).{0,2}/i.exec(spaced)
      if (malformed !== null) {
        const where = name === undefined ? 'a name' : `the value of ${quote(name)}`
        throw new HubError(
          'body_malformed',
          `${source}: ${quote(malformed[0])} in ${where} is not a percent-encoded byte (a literal "%" is written %25).`,
        )
      }
      if (name !== undefined) this.notUtf8.add(name)
      return decodeBytes(spaced)
    }
  }
}

/** Decodes `%XX` to bytes and the bytes as UTF-8, with U+FFFD for what is none. */
function decodeBytes(text: string): string {
  const source = Buffer.from(text)
  const bytes = Buffer.alloc(source.length)
  let length = 0
  for (let i = 0; i < source.length; i++) {
    if (source[i] === 0x25) {
      bytes[length++] = Number.parseInt(source.toString('latin1', i + 1, i + 3), 16)
      i += 2
    } else bytes[length++] = source[i]!
  }
  return bytes.toString('utf8', 0, length)
}
