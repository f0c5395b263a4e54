import type { HubObserver } from './hub/hub.ts'
import type { Transport } from './transport.ts'

/** What is asked of a hub, under the names that traces have for it. */
export type Operation = 'mercure.publish' | 'mercure.subscribe' | 'mercure.subscriptions'

/** What is known of an operation, under the names of OpenTelemetry's conventions, or `mercure.…`. Never a token. */
export type Facts = Readonly<Record<string, string | number | boolean | string[]>>

/** The headers by which a request says that it belongs to a trace (W3C Trace Context). */
export interface TraceHeaders {
  /** Every value of each header, as it was sent. */
  readonly traceparent: readonly string[]
  readonly tracestate: readonly string[]
}

/** An operation that is followed. */
export interface Followed {
  learn(facts: Facts): void
  /** It was refused, or has failed; `isFault`: not by the fault of whoever asked. */
  fail(error: unknown, isFault: boolean): void
}

export interface Follower {
  /**
   * Runs `act` as an operation of the trace that the headers name, or that goes on in this process, or of a new one. It has ended when `act` has,
   * and the subscriber that it made, if it made one, has come to the log's end.
   */
  follow<Result>(
    operation: Operation,
    act: (followed: Followed) => Promise<Result>,
    headers?: TraceHeaders,
  ): Promise<Result>
}

/** Traces of what is asked of a hub. It looks at the hub from outside: one that is not traced has nothing of it. */
export interface Tracing extends Follower {
  /** The log, with what operations do with it followed, too. */
  watchTransport(transport: Transport): Transport
  /** The observer, with the operations told as well. */
  watchHub(observer: HubObserver): HubObserver
  /** Sends what is left, within this time; what was not taken then is lost. Never rejects. */
  close(withinMs: number): Promise<void>
}
