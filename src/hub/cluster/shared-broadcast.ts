import type { Broadcast } from '../../transport.ts'

/** A transport's broadcast for several listeners: each hears everything, and knows its own messages by their first byte. */
export class SharedBroadcast implements Broadcast {
  readonly maxBytes: number
  readonly #broadcast: Broadcast
  readonly #listeners: ((message: Uint8Array) => void)[] = []

  constructor(broadcast: Broadcast) {
    this.#broadcast = broadcast
    this.maxBytes = broadcast.maxBytes ?? defaultMaxBytes
  }

  async send(message: Uint8Array): Promise<void> {
    await this.#broadcast.send(message)
  }

  receive(listener: (message: Uint8Array) => void): void {
    this.#listeners.push(listener)
    if (this.#listeners.length > 1) return
    this.#broadcast.receive(message => {
      for (const listener of this.#listeners) listener(message)
    })
  }

  will(message: Uint8Array): void {
    this.#broadcast.will?.(message)
  }
}

const defaultMaxBytes = 1 << 20
