import type { Link } from './link.ts'

export interface VigilOptions {
  /** A worker gives a sign of life so often, in milliseconds. */
  readonly intervalMs: number
  /** How many intervals one may be silent: until it is first heard, then, and when it was asked to end. */
  readonly patience: { readonly starting: number; readonly serving: number; readonly ending: number }
}

/**
 * Tells, once, when a worker is silent for too long: all that it sends counts. Intervals of this process are counted, not time: one that was
 * suspended, and its worker with it or not, hears what was said meanwhile before it counts again.
 */
export class Vigil {
  readonly #link: Link
  readonly #patience: VigilOptions['patience']
  readonly #timer: NodeJS.Timeout
  #heardBytes = 0
  #silent = 0
  #isEnding = false

  constructor(link: Link, { intervalMs, patience }: VigilOptions, onSilence: (silentMs: number) => void) {
    this.#link = link
    this.#patience = patience
    this.#timer = setInterval(() => {
      this.#listen()
      if (this.#silent < this.#longest) return
      this.end()
      onSilence(this.#silent * intervalMs)
    }, intervalMs)
  }

  /** The worker was asked to end. */
  hasten(): void {
    this.#isEnding = true
  }

  end(): void {
    clearInterval(this.#timer)
  }

  #listen(): void {
    const heardBytes = this.#link.receivedBytes
    this.#silent = heardBytes === this.#heardBytes ? this.#silent + 1 : 0
    this.#heardBytes = heardBytes
  }

  get #longest(): number {
    const { starting, serving, ending } = this.#patience
    if (this.#isEnding) return ending
    return this.#heardBytes === 0 ? starting : serving
  }
}
