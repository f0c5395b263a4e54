import { ServerResponse } from 'node:http'
import { isGone, type Response } from './stream.ts'

/** Requests that are being answered. */
export class Exchanges {
  readonly #responses = new Set<Response>()
  #whenNone: (() => void) | undefined

  add(response: Response): void {
    if (isGone(response)) return
    this.#responses.add(response)
    response.once('close', () => {
      this.#responses.delete(response)
      if (this.#responses.size === 0) this.#whenNone?.()
    })
  }

  /** Resolves when all are answered; cuts, after `graceMs`, the connections of those that are not. */
  async close(graceMs: number): Promise<void> {
    if (this.#responses.size === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#whenNone = resolve
    const cut = setTimeout(() => {
      for (const response of this.#responses) {
        if (response instanceof ServerResponse) response.destroy()
        else response.stream.destroy()
      }
    }, graceMs)
    await promise
    clearTimeout(cut)
  }
}
