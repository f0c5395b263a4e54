import type { Writable } from 'node:stream'

const width = 24
/** Work that is done before this shows nothing; then it is drawn again at this interval. */
const intervalMs = 200

/** A bar on a terminal for work that takes a while. Anywhere else it says nothing. */
export class Progress {
  readonly #terminal: (Writable & { readonly isTTY?: boolean }) | undefined
  readonly #unit: string
  #drawnMs = performance.now()
  #isDrawn = false

  constructor(terminal: Writable & { readonly isTTY?: boolean }, unit: string) {
    this.#terminal = terminal.isTTY === true ? terminal : undefined
    this.#unit = unit
  }

  /** `total`, where it is known, makes a bar of it. */
  report(done: number, total: number | undefined): void {
    const nowMs = performance.now()
    if (this.#terminal === undefined || nowMs < this.#drawnMs + intervalMs) return
    this.#drawnMs = nowMs
    this.#isDrawn = true
    this.#terminal.write(`\r${total === undefined || total === 0 ? '' : bar(done / total)}${grouped(done)} ${this.#unit}\x1b[K`)
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#isDrawn) this.#terminal?.write('\r\x1b[K')
    this.#isDrawn = false
  }
}

function bar(fraction: number): string {
  const filled = Math.round(Math.min(1, fraction) * width)
  return `[${'#'.repeat(filled)}${'-'.repeat(width - filled)}] ${Math.floor(Math.min(1, fraction) * 100)} %  `
}

const grouped = (count: number): string => count.toLocaleString('en')
