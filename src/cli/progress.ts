import type { Writable } from 'node:stream'

const barWidth = 24
/** Work that is done by then shows nothing; longer work is drawn again at this interval. */
const intervalMs = 250

/** How far a work is, on a terminal that somebody looks at; anywhere else it says nothing. */
export class Progress {
  readonly #terminal: Writable | undefined
  readonly #now: () => number
  #drawnMs: number
  #isDrawn = false

  /** `now`: a clock in milliseconds. */
  constructor(output: Writable & { readonly isTTY?: boolean }, now: () => number = () => performance.now()) {
    this.#terminal = output.isTTY === true ? output : undefined
    this.#now = now
    this.#drawnMs = now()
  }

  /** So many updates; the bar is `done` of `total`, updates or anything else, where the total is known. */
  report(updates: number, total: number | undefined, done: number = updates): void {
    const bar = () => (total === undefined || total === 0 ? '' : drawBar(Math.min(1, done / total)))
    this.show(() => `${bar()}${formatUpdates(updates)}`)
  }

  /** A line of text, asked for only when it is drawn. */
  show(text: () => string): void {
    const nowMs = this.#now()
    if (this.#terminal === undefined || nowMs < this.#drawnMs + intervalMs) return
    this.#drawnMs = nowMs
    this.#isDrawn = true
    this.#terminal.write(`\r${text()}${eraseToEnd}`)
  }

  /** Takes it away. */
  end(): void {
    if (this.#isDrawn) this.#terminal?.write(`\r${eraseToEnd}`)
    this.#isDrawn = false
  }
}

/** `1 update`, `300,000 updates`. */
export const formatUpdates = (count: number): string =>
  `${count.toLocaleString('en')} ${count === 1 ? 'update' : 'updates'}`

const eraseToEnd = '\x1b[K'

function drawBar(fraction: number): string {
  const filled = Math.floor(fraction * barWidth)
  return `[${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}] ${Math.floor(fraction * 100)} %  `
}
