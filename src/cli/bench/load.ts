import { createHistogram, performance, type RecordableHistogram } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { formatDuration } from '../../config/values/duration.ts'
import { requestHead, type Target } from './connection.ts'
import { EventStream } from './event-stream.ts'
import { Failures } from './failures.ts'
import { Ledger } from './ledger.ts'
import { formatMarker } from './marker.ts'
import { Publisher } from './publisher.ts'

/** What a load is made of. */
export interface LoadOptions {
  readonly target: Target
  readonly subscribers: number
  readonly publishers: number
  /** Updates in a second, of all publishers together; `undefined`: each publishes as soon as its last update is answered. */
  readonly rate: number | undefined
  readonly durationMs: number
  /** Bytes of data of an update. */
  readonly size: number
  readonly topics: readonly string[]
  /** The query parameter that selects topics: `topic` or `match`. */
  readonly match: string
  readonly token: string | undefined
  readonly subscriberToken: string | undefined
  /** How long to wait for deliveries and answers when none comes any more, in milliseconds. */
  readonly patienceMs: number
  /** The same for streams that are to open, and for the first answer of all. */
  readonly connectPatienceMs: number
}

/** Connections under way at once: more would wait in the hub's queue of the operating system. */
const connectsAtOnce = 100
const drainCheckMs = 50
/** After a refusal a publisher waits: a hub that is full or gone is not to be stormed. */
const pauseAfterFailureMs = 100

/** Streams, publishers and what is counted of them, in the order of `connect`, `publish`, `drain`, `close`. */
export class Load {
  readonly #options: LoadOptions
  readonly failures = new Failures()
  readonly ledger: Ledger
  readonly streams: EventStream[] = []
  readonly publishLatency = createHistogram()
  readonly deliveryLatency = createHistogram()
  /** Until the last stream was open. */
  connectMs = 0
  refusedStreams = 0
  endedStreams = 0
  stored = 0
  notStored = 0
  /** Times in milliseconds of this clock: first update, last answer, last delivery. */
  beganAt = 0
  answeredAt = 0
  deliveredAt = 0
  /** How much of the time of publishing the event loop of this process was busy, from 0 to 1. */
  utilization = 0
  readonly #publishers: readonly Publisher[]
  /** Random, and the same in all markers of this load. */
  readonly #run = Math.floor(Math.random() * 2 ** 31)
  readonly #connecting = new Set<EventStream>()
  readonly #outstanding = new Set<{ publisher: number; topic: number; number: number }>()
  #updates = 0

  constructor(options: LoadOptions) {
    this.#options = options
    const { target, publishers, topics, subscribers, token } = options
    this.ledger = new Ledger({ publishers, topics: topics.length, streams: subscribers })
    this.#publishers = Array.from({ length: publishers }, (_, index) => new Publisher(index, target, token))
  }

  /**
   * Opens the streams, until the hub has answered nothing for a while: the others count as refused.
   * @throws Error with the hub's refusal if none could be opened
   */
  async connect(signal: AbortSignal): Promise<void> {
    const { subscribers, connectPatienceMs } = this.#options
    const began = performance.now()
    const silence = new AbortController()
    const timer = setTimeout(() => silence.abort(), connectPatienceMs)
    const over = AbortSignal.any([signal, silence.signal])
    let next = 0
    let refusal: unknown
    const openNext = async () => {
      while (next < subscribers && !over.aborted) {
        const stream = this.#openStream(next++)
        this.#connecting.add(stream)
        try {
          await stream.opened
          this.streams.push(stream)
          this.connectMs = performance.now() - began
        } catch (error) {
          if (!this.#connecting.has(stream)) return
          refusal = error
          this.#countRefused((error as Error).message)
        }
        this.#connecting.delete(stream)
        timer.refresh()
      }
    }
    const opening = Promise.all(Array.from({ length: Math.min(connectsAtOnce, subscribers) }, openNext))
    await raceAbort(opening, over).finally(() => clearTimeout(timer))
    const silenced = silence.signal.aborted ? this.#giveUpConnecting(subscribers - next) : undefined
    if (subscribers > 0 && this.streams.length === 0 && !signal.aborted) throw refusal ?? silenced
  }

  /** Gives the reason, for when no stream is open. */
  #giveUpConnecting(untried: number): Error {
    const waiting = [...this.#connecting]
    this.#connecting.clear()
    this.#countRefused('subscribing: no answer', waiting.length)
    if (untried > 0) this.#countRefused('subscribing: not tried, since others had no answer', untried)
    const reason = this.#describeSilence(waiting.some(stream => stream.isConnected))
    for (const stream of waiting) stream.close()
    return new Error(reason)
  }

  #describeSilence(isConnected: boolean): string {
    const hint = `--wait ${formatDuration(this.#options.connectPatienceMs * 10)} waits longer`
    return isConnected
      ? `it accepts connections and does not answer: is it a hub? If it is only slow, ${hint}.`
      : `it does not take connections: is this its address, and is no firewall between? If it is only slow, ${hint}.`
  }

  #countRefused(why: string, times = 1): void {
    this.refusedStreams += times
    this.failures.add(why, times)
  }

  #openStream(index: number): EventStream {
    const { target, topics, match, subscriberToken } = this.#options
    const topic = index % topics.length
    const query = `${match}=${encodeURIComponent(topics[topic]!)}`
    return new EventStream(index, topic, {
      target,
      request: `${requestHead('GET', target, query, subscriberToken)}Accept: text/event-stream\r\n\r\n`,
      found: this.#found,
      ended: why => {
        this.endedStreams++
        this.failures.add(`a stream: ${why}`)
      },
    })
  }

  readonly #found = (
    { index, isOpen }: EventStream,
    run: number,
    publisher: number,
    number: number,
    micros: number,
  ): void => {
    if (run !== this.#run || !isOpen || !this.ledger.receive(index, publisher, number)) return
    this.deliveredAt = performance.now()
    record(this.deliveryLatency, this.deliveredAt * 1000 - micros)
  }

  /** Publishes for the duration, or until the signal. @throws Error with the hub's refusal if the first update is refused */
  async publish(signal: AbortSignal): Promise<void> {
    const { durationMs } = this.#options
    this.beganAt = performance.now()
    this.answeredAt = this.beganAt
    this.deliveredAt = this.beganAt
    const before = performance.eventLoopUtilization()
    const endAt = this.beganAt + durationMs
    // A hub that does not answer must not hold the load.
    const over = AbortSignal.any([signal, AbortSignal.timeout(durationMs)])
    await raceAbort(this.#publishAll(endAt, over), over)
    this.utilization = performance.eventLoopUtilization(before).utilization
  }

  async #publishAll(endAt: number, signal: AbortSignal): Promise<void> {
    const [first] = this.#publishers
    const { durationMs, rate } = this.#options
    if (first === undefined) return await delay(durationMs, undefined, { signal }).catch(() => {})
    const failure = await this.#publishFirst(first)
    if (failure !== undefined) throw new Error(failure)
    if (rate !== undefined) return await this.#publishAtRate(rate, endAt, signal)
    await Promise.all(this.#publishers.map(publisher => this.#publishOn(publisher, endAt, signal)))
  }

  /** Where no stream has shown that it is a hub that answers. */
  async #publishFirst(publisher: Publisher): Promise<string | undefined> {
    const answer = this.#publishOne(publisher, performance.now())
    if (this.streams.length > 0) return await answer
    const { promise: silence, reject } = Promise.withResolvers<never>()
    const giveUp = () => reject(new Error(this.#describeSilence(publisher.isConnected)))
    const timer = setTimeout(giveUp, this.#options.connectPatienceMs)
    return await Promise.race([answer, silence]).finally(() => clearTimeout(timer))
  }

  async #publishOn(publisher: Publisher, endAt: number, signal: AbortSignal): Promise<void> {
    for (let now = performance.now(); now < endAt && !signal.aborted; now = performance.now()) {
      const failure = await this.#publishOne(publisher, now)
      if (failure !== undefined) await delay(pauseAfterFailureMs, undefined, { signal }).catch(() => {})
    }
  }

  /** An update that is due when no publisher is free counts from when it was due. */
  async #publishAtRate(rate: number, endAt: number, signal: AbortSignal): Promise<void> {
    const free = this.#publishers.map(publisher => ({ publisher, since: 0 }))
    let due = this.beganAt + 1000 / rate
    let wake = () => {}
    while (due < endAt && !signal.aborted) {
      const now = performance.now()
      if (now >= endAt) return
      const next = due <= now ? free.shift() : undefined
      if (next === undefined) {
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        const timer = setTimeout(resolve, due > now ? due - now : endAt - now)
        signal.addEventListener('abort', wake, { once: true })
        await promise
        signal.removeEventListener('abort', wake)
        clearTimeout(timer)
        continue
      }
      const { publisher, since } = next
      void this.#publishOne(publisher, since > due ? due : now).then(() => {
        free.push({ publisher, since: performance.now() })
        wake()
      })
      due += 1000 / rate
    }
  }

  /** Resolves with what was answered instead of 200. */
  async #publishOne(publisher: Publisher, from: number): Promise<string | undefined> {
    const { topics, size } = this.#options
    const topic = this.#updates++ % topics.length
    const number = this.ledger.issue(publisher.index, topic)
    const marker = formatMarker({ run: this.#run, publisher: publisher.index, number, micros: from * 1000 }, size)
    const update = { publisher: publisher.index, topic, number }
    this.#outstanding.add(update)
    const failure = await publisher.publish(`topic=${encodeURIComponent(topics[topic]!)}&data=${marker}`)
    if (!this.#outstanding.delete(update)) return failure
    this.answeredAt = performance.now()
    if (failure === undefined) {
      this.stored++
      record(this.publishLatency, (this.answeredAt - from) * 1000)
    } else this.#countNotStored(update, failure)
    return failure
  }

  #countNotStored(update: { publisher: number; topic: number; number: number }, failure: string): void {
    this.notStored++
    this.ledger.notStored(update.publisher, update.topic, update.number)
    this.failures.add(failure)
  }

  /**
   * Waits for answers and deliveries that are on their way, until all are here or none comes any more. What is unanswered then is
   * counted as not stored.
   */
  async drain(signal: AbortSignal): Promise<void> {
    const began = performance.now()
    const isPatient = () =>
      !signal.aborted &&
      performance.now() < Math.max(began, this.answeredAt, this.deliveredAt) + this.#options.patienceMs
    while (isPatient() && (this.#outstanding.size > 0 || this.countLost() > 0)) {
      await delay(drainCheckMs, undefined, { signal }).catch(() => {})
    }
    for (const update of this.#outstanding) this.#countNotStored(update, 'publishing: no answer')
    this.#outstanding.clear()
  }

  /** Updates that streams still open should have received and did not, and those missing before what ended streams received last. */
  countLost(): number {
    return this.ledger.countLost(this.streams)
  }

  close(): void {
    const streams = [...this.streams, ...this.#connecting]
    this.#connecting.clear()
    for (const stream of streams) stream.close()
    for (const publisher of this.#publishers) publisher.close()
  }
}

/** In microseconds, which are never 0 for a histogram. */
const record = (histogram: RecordableHistogram, micros: number): void =>
  histogram.record(Math.max(1, Math.round(micros)))

async function raceAbort(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const abort = () => resolve()
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) resolve()
  await Promise.race([work, promise])
  signal.removeEventListener('abort', abort)
}
