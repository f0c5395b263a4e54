import { setImmediate as nextTurn } from 'node:timers/promises'

export interface ListSenderOptions {
  /** The list as it is now, in parts. */
  readonly parts: () => Iterable<Uint8Array>
  readonly deliver: (part: Uint8Array) => Promise<void>
  /** Nothing more is sent by a node that has left. */
  readonly hasLeft: () => boolean
  readonly failed: (error: unknown) => void
}

/** Sends a list that may be long to the other nodes, with turns for everything else between its parts; once more if it was asked for meanwhile. */
export class ListSender {
  readonly #options: ListSenderOptions
  #isAsked = false
  #isSending = false

  constructor(options: ListSenderOptions) {
    this.#options = options
  }

  ask(): void {
    this.#isAsked = true
    if (!this.#isSending) this.#send().catch(this.#options.failed)
  }

  async #send(): Promise<void> {
    const { parts, deliver, hasLeft } = this.#options
    this.#isSending = true
    try {
      while (this.#isAsked && !hasLeft()) {
        // Those who start together ask together.
        await nextTurn()
        this.#isAsked = false
        for (const part of parts()) {
          await deliver(part)
          await nextTurn()
        }
      }
    } finally {
      this.#isSending = false
    }
  }
}
