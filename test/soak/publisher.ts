import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { bearer } from '../support/subscriptions.ts'
import { publisherToken } from '../support/token.ts'
import type { Nodes } from './nodes.ts'
import type { Publications } from './publications.ts'
import { composeData, isPrivate, type Serial, topicOf } from './selection.ts'

export interface PublisherOptions {
  readonly nodes: Nodes
  readonly publications: Publications
  readonly perSecond: number
  /** The log knows publishers' keys: what became of nobody knows what is sent again. */
  readonly withKeys: boolean
  /** Milliseconds since the soak began. */
  readonly now: () => number
}

type Outcome =
  | { readonly fate: 'stored'; readonly id: string; readonly isReplay: boolean }
  | { readonly fate: 'not stored' | 'unknown' }

/** Of the data of most updates, and of each sixteenth. */
const dataLength = 400
const longDataLength = 16_000
/** Then the publisher gives up, and does not know. */
const patienceMs = 15_000
const retryMs = 150
/** No trouble lasts so long. */
const hopelessMs = 180_000

const token = await publisherToken()

/** Publishes one update after the other, each at any node: the next one when it is known, or never will be, what became of the one before. */
export class Publisher {
  /** Requests that were sent again. */
  retries = 0
  /** Of these, those whose first one had been stored. */
  replays = 0
  readonly #publisher: number
  readonly #options: PublisherOptions
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })

  constructor(publisher: number, options: PublisherOptions) {
    this.#publisher = publisher
    this.#options = options
  }

  async run(signal: AbortSignal): Promise<void> {
    const everyMs = 1000 / this.#options.perSecond
    for (let dueMs = performance.now() + Math.random() * everyMs; !signal.aborted; dueMs += everyMs) {
      // What was missed while a node or the log was away is not made up for.
      dueMs = Math.max(dueMs, performance.now() - 1000)
      await sleep(Math.max(0, dueMs - performance.now()), undefined, { signal }).catch(() => {})
      if (!signal.aborted) await this.publishNext()
    }
  }

  /** The last one: public, and known to be stored. */
  async publishLast(): Promise<Serial> {
    for (;;) {
      const { fate, ...update } = await this.publishNext()
      if (fate === 'stored' && !isPrivate(update.number)) return update
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  /** @throws Error for an answer that no publisher should get, and when there is none for minutes */
  async publishNext(): Promise<Serial & { readonly fate: 'stored' | 'unknown' }> {
    const { publications, withKeys, now } = this.#options
    const publisher = this.#publisher
    const number = publications.begin(publisher, now())
    const update = { publisher, number }
    const startedAt = performance.now()
    while (performance.now() - startedAt < hopelessMs) {
      const outcome = await this.#send(update)
      if (outcome.fate === 'stored') {
        if (outcome.isReplay) this.replays++
        publications.settle(update, 'stored', outcome.id)
        return { ...update, fate: 'stored' }
      }
      if (outcome.fate === 'unknown' && !withKeys) {
        publications.settle(update, 'unknown')
        return { ...update, fate: 'unknown' }
      }
      this.retries++
      await sleep(retryMs * (0.5 + Math.random()))
    }
    throw new Error(`No node has stored ${publisher}:${number} within ${hopelessMs / 1000} s.`)
  }

  async #send(update: Serial): Promise<Outcome> {
    const { nodes, withKeys } = this.#options
    const hub = nodes.pick()
    if (hub === undefined) return { fate: 'not stored' }
    const { publisher, number } = update
    const name = `urn:soak:${publisher}:${number}`
    const form = new URLSearchParams({
      topic: topicOf(publisher),
      data: composeData(update, number % 16 === 15 ? longDataLength : dataLength),
      // Some publishers leave it to the hub.
      ...(publisher % 2 === 0 && { id: name }),
      ...(isPrivate(number) && { private: 'on' }),
    })
    const headers = {
      ...bearer(token),
      'Content-Type': 'application/x-www-form-urlencoded',
      ...(withKeys && { 'Idempotency-Key': `"${name}"` }),
    }
    try {
      const asked = request(`${hub.url}/.well-known/mercure`, {
        method: 'POST',
        agent: this.#agent,
        headers,
        signal: AbortSignal.timeout(patienceMs),
      }).end(form.toString())
      const [answer] = (await once(asked, 'response')) as [IncomingMessage]
      return outcomeOf(answer, await text(answer))
    } catch (error) {
      const isUnsent = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED'
      if (error instanceof UnexpectedAnswer) throw error
      return { fate: isUnsent ? 'not stored' : 'unknown' }
    }
  }
}

class UnexpectedAnswer extends Error {}

function outcomeOf({ statusCode, headers }: IncomingMessage, text: string): Outcome {
  if (statusCode === 200) {
    return { fate: 'stored', id: text, isReplay: headers['idempotency-replayed'] === 'true' }
  }
  if (statusCode !== 503) throw new UnexpectedAnswer(`A publisher was answered ${statusCode}: ${text}`)
  return { fate: /It is not known whether/.test(text) ? 'unknown' : 'not stored' }
}
