import type { Update } from './protocol/update.ts'
import type { KeyedUpdate, PublishKey, Transport } from './transport.ts'

/** What is remembered at most; the oldest is forgotten first. `size`: characters of keys, fingerprints and ids, all together. */
const usualBounds = { keys: 100_000, size: 32 << 20 }

interface Remembered extends KeyedUpdate {
  readonly untilMs: number
  readonly size: number
}

interface UnderWay extends KeyedUpdate {
  readonly stored: Promise<void>
}

/** Stores an update with a key: as the transport does, or with a memory of this process where it does not. */
export function onceThrough(transport: Transport): NonNullable<Transport['publishOnce']> {
  const { publishOnce } = transport
  if (publishOnce !== undefined) return publishOnce.bind(transport)
  const memory = new KeyMemory(update => transport.publish(update))
  return memory.publishOnce.bind(memory)
}

/** Gives a log that has none a memory of keys, in this process: it lives as long as that. */
export class KeyMemory {
  readonly #publish: (update: Update) => Promise<void>
  readonly #bounds: { readonly keys: number; readonly size: number }
  readonly #underWay = new Map<string, UnderWay>()
  /** Oldest first. */
  readonly #remembered = new Map<string, Remembered>()
  #size = 0

  constructor(publish: (update: Update) => Promise<void>, bounds = usualBounds) {
    this.#publish = publish
    this.#bounds = bounds
  }

  /** As the port says. */
  async publishOnce(update: Update, { text, fingerprint, rememberMs }: PublishKey): Promise<KeyedUpdate | undefined> {
    const first = this.#recall(text) ?? this.#underWay.get(text)
    if (first !== undefined) {
      // Another update with the same key is refused, whatever becomes of the first.
      if ('stored' in first && first.fingerprint === fingerprint) await first.stored
      return { id: first.id, fingerprint: first.fingerprint }
    }
    const stored = this.#publish(update)
    this.#underWay.set(text, { id: update.id, fingerprint, stored })
    try {
      await stored
      this.#remember(text, { id: update.id, fingerprint }, rememberMs)
    } finally {
      this.#underWay.delete(text)
    }
    return undefined
  }

  #recall(text: string): Remembered | undefined {
    const found = this.#remembered.get(text)
    return found !== undefined && found.untilMs > performance.now() ? found : undefined
  }

  #remember(text: string, { id, fingerprint }: KeyedUpdate, forMs: number): void {
    this.#forget(text)
    const now = performance.now()
    const size = text.length + fingerprint.length + id.length
    this.#remembered.set(text, { id, fingerprint, size, untilMs: now + forMs })
    this.#size += size
    for (const [oldest, { untilMs }] of this.#remembered) {
      const isWithin = this.#remembered.size <= this.#bounds.keys && this.#size <= this.#bounds.size
      if (isWithin && untilMs > now) break
      this.#forget(oldest)
    }
  }

  #forget(text: string): void {
    this.#size -= this.#remembered.get(text)?.size ?? 0
    this.#remembered.delete(text)
  }
}
