/** An update waits so long at most for messages that were sent before it; one may be lost. */
const patienceMs = 500
/** Nodes that are kept in mind. */
const maxNodes = 10_000

/** How much each node has been heard to say. Updates and messages come by different ways; a node tells with each update how much it has said before. */
export class Heard {
  readonly #messages = new Map<string, number>()
  #changed = Promise.withResolvers<void>()
  #closed = false

  /** So many messages of a node have come, or are not waited for. */
  note(node: string, messages: number): void {
    if (messages <= (this.#messages.get(node) ?? 0)) return
    this.#messages.delete(node)
    this.#messages.set(node, messages)
    if (this.#messages.size > maxNodes) this.#messages.delete(this.#messages.keys().next().value!)
    this.#ring()
  }

  /** Resolves when so many messages of a node have come, or will not come soon; `undefined`: they have. */
  reached(node: string, messages: number): Promise<void> | undefined {
    return (this.#messages.get(node) ?? 0) >= messages || this.#closed ? undefined : this.#wait(node, messages)
  }

  close(): void {
    this.#closed = true
    this.#ring()
  }

  async #wait(node: string, messages: number): Promise<void> {
    const over = Promise.withResolvers<void>()
    const timer = setTimeout(() => {
      this.note(node, messages)
      over.resolve()
    }, patienceMs)
    while ((this.#messages.get(node) ?? 0) < messages && !this.#closed) {
      await Promise.race([this.#changed.promise, over.promise])
    }
    clearTimeout(timer)
  }

  #ring(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}
