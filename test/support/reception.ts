import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import type { Page } from 'playwright-core'

/** An event as a client hands it to its listeners. */
export interface ReceivedEvent {
  readonly type: string
  readonly data: string
  readonly lastEventId: string
}

/** What a client has received, whichever client it is: a test waits here for what comes. */
export class Reception {
  readonly events: ReceivedEvent[] = []
  /** How often a stream was opened. */
  opened = 0
  /** The client has given up: it will not reconnect. */
  closed = false
  readonly #changed = new EventEmitter().setMaxListeners(0)
  #taken = 0

  receive({ type, data, lastEventId }: ReceivedEvent): void {
    this.events.push({ type, data, lastEventId })
    this.#changed.emit('change')
  }

  open(): void {
    this.opened++
    this.#changed.emit('change')
  }

  close(): void {
    this.closed = true
    this.#changed.emit('change')
  }

  report(what: Report): void {
    if (what === 'open') this.open()
    else if (what === 'closed') this.close()
    else this.receive(what)
  }

  get ids(): string[] {
    return this.events.map(({ lastEventId }) => lastEventId)
  }

  /** The next events after those that were taken before; fails when the client gives up first. */
  async take(count = 1): Promise<ReceivedEvent[]> {
    const from = this.#taken
    this.#taken += count
    await this.until(() => this.events.length >= from + count)
    return this.events.slice(from, from + count)
  }

  /** Resolves when the condition holds; fails when the client gives up first. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.closed) await once(this.#changed, 'change')
    assert.ok(condition(), `the client has given up, after ${this.opened} streams and ${this.events.length} events`)
  }

  /** Resolves when a stream is open, for the first time or once more. */
  async untilOpened(times = 1): Promise<void> {
    await this.until(() => this.opened >= times)
  }

  /** Resolves when the client has given up. */
  async untilClosed(): Promise<void> {
    await this.until(() => this.closed)
  }
}

/** What an EventSource of this process receives: messages, and events of these types. */
export function listen(
  source: EventTarget & { readonly readyState: number },
  types: readonly string[] = [],
): Reception {
  const reception = new Reception()
  source.addEventListener('open', () => reception.open())
  source.addEventListener('error', () => {
    if (source.readyState === 2) reception.close()
  })
  for (const type of ['message', ...types]) {
    source.addEventListener(type, event => reception.receive(event as MessageEvent))
  }
  return reception
}

/** What a client elsewhere tells of itself. */
export type Report = 'open' | 'closed' | ReceivedEvent

/** Opens an EventSource in a page: what it receives. It ends with the page. */
export async function listenIn(
  page: Page,
  url: string,
  { withCredentials = false, types = [] }: { withCredentials?: boolean; types?: string[] } = {},
): Promise<Reception> {
  const { reception, report } = await receiveFrom(page)
  await page.evaluate(
    ({ url, withCredentials, types, report }) => {
      const tell: (report: Report) => void = Reflect.get(globalThis, report)
      const source = new EventSource(url, { withCredentials })
      source.addEventListener('open', () => tell('open'))
      source.addEventListener('error', () => source.readyState === EventSource.CLOSED && tell('closed'))
      for (const type of ['message', ...types]) {
        source.addEventListener(type, event => {
          const { data, lastEventId } = event as MessageEvent
          tell({ type, data, lastEventId })
        })
      }
    },
    { url, withCredentials, types, report },
  )
  return reception
}

let reports = 0

/** A reception that a script of the page fills: it calls the global function named `report` with `'open'`, `'closed'` or an event. */
export async function receiveFrom(page: Page): Promise<{ reception: Reception; report: string }> {
  const reception = new Reception()
  const report = `report${++reports}`
  await page.exposeFunction(report, (what: Report) => reception.report(what))
  return { reception, report }
}
