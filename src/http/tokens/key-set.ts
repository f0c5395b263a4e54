import { readFileSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { createLocalJWKSet, errors, type JSONWebKeySet } from 'jose'
import { HubError } from '../../errors.ts'

/** At least this much between two reads of a set, so that tokens with invented key ids cannot make the hub hammer its source. */
export const refreshFloorMs = 30_000
/** The same after a read that failed. */
export const retryFloorMs = 5000
/** A remote set is read again at this age even if nobody asks for a key that it lacks: a withdrawn key must go. */
export const maxAgeMs = 600_000
const fetchTimeoutMs = 5000
const maxSetBytes = 1 << 20

export interface KeySetContext {
  /** The name of the setting, for messages to the operator. */
  readonly setting: string
  now(): number
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void }
}

/** What a token's header says of the key that signed it. */
export interface KeyHint {
  readonly alg?: string
  readonly kid?: string
}

type FindInSet = ReturnType<typeof createLocalJWKSet>

/** A JWK Set that follows its source. A source that fails costs nothing as long as keys of an earlier read are there. */
export class KeySet {
  readonly algorithms: readonly string[]
  readonly #url: URL
  readonly #context: KeySetContext
  #edition = 0
  #text = ''
  #find: FindInSet | undefined
  #triedAt = Number.NEGATIVE_INFINITY
  #failed = false
  #modifiedMs = 0
  #reading: Promise<void> | undefined

  /** A file is read at once; a remote set too, but nobody waits for it. @throws HubError `configuration_invalid` for a bad file */
  constructor(url: URL, algorithms: readonly string[], context: KeySetContext) {
    this.#url = url
    this.algorithms = algorithms
    this.#context = context
    if (url.protocol !== 'file:') {
      this.#read()
      return
    }
    try {
      this.#triedAt = context.now()
      this.#use(readFileSync(url, 'utf8'))
    } catch (cause) {
      throw new HubError(
        'configuration_invalid',
        `${context.setting}: the JWK Set cannot be used: ${describe(cause)}.`,
        { cause },
      )
    }
  }

  /** Counts the distinct sets read so far. Starts a read that is due, without waiting for it. */
  edition(): number {
    const remote = this.#url.protocol !== 'file:'
    if (this.#quietMs() >= (remote && !this.#failed ? maxAgeMs : this.#floorMs())) this.#read({ onlyIfModified: true })
    return this.#edition
  }

  /** @throws HubError `token_key_unknown`, `token_keys_unreachable` */
  async find(header: KeyHint): Promise<CryptoKey[]> {
    const keys = await this.#lookUp(header)
    if (keys.length > 0) return keys
    await this.#readAgain()
    const found = await this.#lookUp(header)
    if (found.length > 0) return found
    const seconds = Math.round(this.#quietMs() / 1000)
    if (this.#failed) {
      throw new HubError(
        'token_keys_unreachable',
        `The hub could not read the keys that verify this token (last tried ${seconds} s ago).`,
        { mend: 'Try again later; the log of the hub says why.' },
      )
    }
    throw new HubError(
      'token_key_unknown',
      `No key of the hub's JWK Set fits the token's kid and alg (last read ${seconds} s ago, read again for an unknown kid every ${refreshFloorMs / 1000} s at most).`,
      { mend: 'Publish the key there, or sign with one that is there and name its kid.' },
    )
  }

  async #lookUp(header: KeyHint): Promise<CryptoKey[]> {
    if (this.#find === undefined) return []
    try {
      return [await this.#find({ ...header })]
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return []
      if (error instanceof errors.JWKSMultipleMatchingKeys) return Array.fromAsync(error)
      throw error
    }
  }

  /** Waits for a read that is under way, or for a new one unless the last is too recent. */
  async #readAgain(): Promise<void> {
    if (this.#reading === undefined && this.#quietMs() >= this.#floorMs()) this.#read()
    await this.#reading
  }

  #read(options: { onlyIfModified?: boolean } = {}): void {
    if (this.#reading !== undefined) return
    this.#triedAt = this.#context.now()
    this.#reading = this.#load(options.onlyIfModified === true)
      .then(
        () => {
          this.#failed = false
        },
        (cause: unknown) => {
          this.#failed = true
          const { setting, log } = this.#context
          log.warn({ setting, url: shown(this.#url), reason: describe(cause) }, 'JWK Set not read')
        },
      )
      .finally(() => {
        this.#reading = undefined
      })
  }

  async #load(onlyIfModified: boolean): Promise<void> {
    if (this.#url.protocol !== 'file:') return this.#use(await fetchText(this.#url))
    const { mtimeMs } = await stat(this.#url)
    if (onlyIfModified && mtimeMs === this.#modifiedMs) return
    this.#use(await readFile(this.#url, 'utf8'))
    this.#modifiedMs = mtimeMs
  }

  #use(text: string): void {
    if (text === this.#text) return
    const set = parse(text)
    this.#find = createLocalJWKSet(set)
    this.#text = text
    this.#edition += 1
    const { setting, log } = this.#context
    log.info({ setting, url: shown(this.#url), keys: set.keys.length }, 'JWK Set read')
  }

  #quietMs(): number {
    return Math.abs(this.#context.now() - this.#triedAt)
  }

  #floorMs(): number {
    return this.#failed ? retryFloorMs : refreshFloorMs
  }
}

async function fetchText(url: URL): Promise<string> {
  const response = await fetch(url, {
    headers: { accept: 'application/jwk-set+json, application/json' },
    redirect: 'manual',
    signal: AbortSignal.timeout(fetchTimeoutMs),
  })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new Error(`answered ${response.status}`)
  }
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > maxSetBytes) throw new Error(`answered more than ${maxSetBytes} bytes`)
    text += decoder.decode(chunk, { stream: true })
  }
  return text
}

/** Not the parser's own message: it quotes the text, which in a wrong file may be a secret. */
function parse(text: string): JSONWebKeySet {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('it is not JSON')
  }
}

/** Without its query, where some providers put a key. */
const shown = ({ protocol, host, pathname }: URL): string => `${protocol}//${host}${pathname}`

/** A failed fetch says only "fetch failed"; its cause says why. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message || error.cause.name}` : error.message
}
