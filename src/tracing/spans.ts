import { AsyncLocalStorage } from 'node:async_hooks'
import type * as OpenTelemetry from '@opentelemetry/api'
import type { HubObserver } from '../hub/hub.ts'
import type { Subscriber } from '../hub/subscriber.ts'
import type { Followed, Operation, TraceHeaders, Tracing } from '../tracing.ts'
import type { Transport } from '../transport.ts'
import { describeSubscriber } from './facts.ts'
import { Running } from './running.ts'
import { readTraceContext } from './trace-context.ts'
import { watchLog } from './watched-log.ts'

export interface SpansOptions {
  readonly api: typeof OpenTelemetry
  readonly tracer: OpenTelemetry.Tracer
  /** What the log is called: the scheme of its URL. */
  readonly transport: string
  readonly close: (withinMs: number) => Promise<void>
}

/** Operations as spans of OpenTelemetry. */
export class Spans implements Tracing {
  readonly #options: SpansOptions
  readonly #kinds: Readonly<Record<Operation, OpenTelemetry.SpanKind>>
  readonly #running = new AsyncLocalStorage<Running | undefined>()
  /** The operations whose subscriber is sent its past. */
  readonly #replaying = new WeakMap<Subscriber, Running>()

  constructor(options: SpansOptions) {
    const { PRODUCER, CONSUMER, INTERNAL } = options.api.SpanKind
    this.#options = options
    this.#kinds = {
      'mercure.publish': PRODUCER,
      'mercure.subscribe': CONSUMER,
      'mercure.subscriptions': INTERNAL,
    }
  }

  async follow<Result>(
    operation: Operation,
    act: (followed: Followed) => Promise<Result>,
    headers?: TraceHeaders,
  ): Promise<Result> {
    const { api, tracer, transport } = this.#options
    const parent = this.#parentOf(headers)
    const options = { kind: this.#kinds[operation], attributes: { 'mercure.transport': transport } }
    const span = tracer.startSpan(operation, options, parent)
    const running = new Running(operation, span, api.trace.setSpan(parent, span))
    try {
      return await api.context.with(running.context, () => this.#running.run(running, () => act(running)))
    } catch (error) {
      running.fail(error, true)
      throw error
    } finally {
      running.answered()
    }
  }

  /** An application that traces its requests itself has read their headers. */
  #parentOf(headers: TraceHeaders | undefined): OpenTelemetry.Context {
    const { context, trace, createTraceState } = this.#options.api
    const active = context.active()
    if (headers === undefined || trace.getSpan(active) !== undefined) return active
    const remote = readTraceContext(headers, createTraceState)
    return remote === undefined ? active : trace.setSpanContext(active, remote)
  }

  watchTransport(transport: Transport): Transport {
    const { api, tracer } = this.#options
    return watchLog(transport, { api, tracer, running: this.#running })
  }

  watchHub(observer: HubObserver): HubObserver {
    return {
      ...observer,
      resumed: (from, requested) => {
        observer.resumed(from, requested)
        this.#running.getStore()?.learn({ 'mercure.last_event_id.requested': requested, 'mercure.resumed_from': from })
      },
      subscribed: subscriber => {
        observer.subscribed(subscriber)
        const running = this.#running.getStore()
        if (running === undefined) return
        running.learn(describeSubscriber(subscriber))
        running.subscriber = subscriber
        this.#replaying.set(subscriber, running)
      },
      replayed: (subscriber, tookMs) => {
        observer.replayed(subscriber, tookMs)
        const running = this.#replaying.get(subscriber)
        running?.learn({ 'mercure.replayed': subscriber.replayed })
        running?.endWhenDone()
      },
      unsubscribed: (subscriber, reason) => {
        observer.unsubscribed(subscriber, reason)
        const running = this.#replaying.get(subscriber)
        if (running === undefined || running.hasEnded) return
        running.learn({ 'mercure.end_reason': reason })
        running.endWhenDone()
      },
    }
  }

  close(withinMs: number): Promise<void> {
    return this.#options.close(withinMs)
  }
}
