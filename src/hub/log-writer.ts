import { HubError } from '../errors.ts'
import { onceThrough } from '../key-memory.ts'
import type { Update } from '../protocol/update.ts'
import type { PublishKey, Transport } from '../transport.ts'

export interface LogWriterObserver {
  /** `tookMs`: from the hub's getting it until it was stored. */
  published(update: Update, tookMs: number): void
  /** A publisher has sent again what is stored, with the same key. */
  repeated(): void
  logFailed(operation: 'publish'): void
}

/** Stores updates in the log, and tells how that went. */
export class LogWriter {
  readonly #transport: Transport
  readonly #observer: LogWriterObserver
  readonly #once: ReturnType<typeof onceThrough>

  constructor(transport: Transport, observer: LogWriterObserver) {
    this.#transport = transport
    this.#observer = observer
    this.#once = onceThrough(transport)
  }

  /** An update of the hub's own. @throws HubError `transport_unavailable` */
  store(update: Update): Promise<void> {
    return this.#watch(this.#transport.publish(update))
  }

  /** @throws HubError `transport_unavailable` */
  async publish(update: Update): Promise<void> {
    const startedAt = performance.now()
    await this.store(update)
    this.#observer.published(update, performance.now() - startedAt)
  }

  /**
   * The same, unless an update was stored with this key before, and that is remembered: then nothing is stored. Gives the id of that update;
   * `undefined`: it is this one. @throws HubError `transport_unavailable`; `idempotency_key_reused` where that was another update
   */
  async publishOnce(update: Update, key: PublishKey): Promise<string | undefined> {
    const startedAt = performance.now()
    const first = await this.#watch(this.#once(update, key))
    if (first === undefined) this.#observer.published(update, performance.now() - startedAt)
    else if (first.fingerprint !== key.fingerprint) throw keyReused()
    else this.#observer.repeated()
    return first?.id
  }

  async #watch<Answer>(storing: Promise<Answer>): Promise<Answer> {
    try {
      return await storing
    } catch (error) {
      if (isOutage(error)) this.#observer.logFailed('publish')
      throw error
    }
  }
}

/** Not of the backend's making: an update that it would never take. */
const isOutage = (error: unknown): boolean => !(error instanceof HubError) || error.code === 'transport_unavailable'

const keyReused = (): HubError =>
  new HubError('idempotency_key_reused', 'This Idempotency-Key came with another update a short while ago.', {
    mend: 'Send each update with a key of its own, and the same key only to repeat a request as it was.',
  })
