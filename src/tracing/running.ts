import type { Attributes, Context, Span } from '@opentelemetry/api'
import { HubError } from '../errors.ts'
import type { Subscriber } from '../hub/subscriber.ts'
import type { Facts, Followed, Operation } from '../tracing.ts'

/** An operation under way, as whatever belongs to it finds it. */
export class Running implements Followed {
  readonly operation: Operation
  /** What becomes a child of it starts there. */
  readonly context: Context
  /** That it has made; while it is sent its past, the operation goes on. */
  subscriber: Subscriber | undefined
  /** How many updates it has stored, or tried to. */
  updates = 0
  readonly #span: Span
  /** Parts that may be left off: a history that nobody has read to its end. */
  readonly #open = new Set<Span>()
  #isAnswered = false
  #hasEnded = false

  constructor(operation: Operation, span: Span, context: Context) {
    this.operation = operation
    this.#span = span
    this.context = context
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  learn(facts: Facts): void {
    if (this.#span.isRecording()) this.#span.setAttributes(facts)
  }

  fail(error: unknown, isFault: boolean): void {
    fail(this.#span, error, isFault)
  }

  /** Keeps a part that ends with the operation at the latest. */
  open(part: Span): void {
    this.#open.add(part)
  }

  finish(part: Span, facts: Attributes = {}): void {
    if (!this.#open.delete(part)) return
    part.setAttributes(facts)
    part.end()
  }

  /** The client has its answer, or the beginning of a stream. */
  answered(): void {
    this.#isAnswered = true
    this.endWhenDone()
  }

  endWhenDone(): void {
    if (!this.#isAnswered || this.#hasEnded || this.subscriber?.state === 'replaying') return
    this.#hasEnded = true
    for (const part of this.#open) this.finish(part)
    this.#span.end()
  }
}

/** Records why: the code of a refusal, which is in docs/errors.md. What is no HubError may hold anything, and is in the log alone. */
export function fail(span: Span, error: unknown, isFault: boolean): void {
  const isKnown = error instanceof HubError
  span.setAttribute('error.type', isKnown ? error.code : 'internal')
  if (isFault) span.setStatus({ code: errorStatus, ...(isKnown && { message: error.message }) })
}

/** `SpanStatusCode.ERROR` of a package that is loaded only when it is needed. */
const errorStatus = 2
