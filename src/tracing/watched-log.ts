import type { AsyncLocalStorage } from 'node:async_hooks'
import type * as OpenTelemetry from '@opentelemetry/api'
import type { Update } from '../protocol/update.ts'
import type { HistoryPage, Transport } from '../transport.ts'
import { describeUpdate } from './facts.ts'
import { fail, type Running } from './running.ts'

export interface WatchOptions {
  readonly api: typeof OpenTelemetry
  readonly tracer: OpenTelemetry.Tracer
  readonly running: AsyncLocalStorage<Running | undefined>
}

/**
 * A log whose use by operations is followed: storing by those that publish, reading by those that subscribe. What the hub does on its own
 * account, announcing subscribers above all, belongs to none of them.
 */
export function watchLog(transport: Transport, options: WatchOptions): Transport {
  const { running } = options
  const publishOnce = transport.publishOnce?.bind(transport)
  const history = transport.history?.bind(transport)
  const watched: Partial<Transport> = {
    // A log in this process delivers while it stores: what comes of it is not the publisher's.
    start: (start, deliver) =>
      transport.start(start, (entry, live) => running.run(undefined, () => deliver(entry, live))),
    publish: update => followPublish(update, () => transport.publish(update), options),
    ...(publishOnce && {
      publishOnce: (update, key) => followPublish(update, () => publishOnce(update, key), options),
    }),
    ...(history && { history: followHistory(history, options) }),
  }
  // Whatever else the log can do is as it was.
  return new Proxy(transport, {
    get(target, name) {
      const own = watched[name as keyof Transport]
      if (own !== undefined) return own
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

async function followPublish<Answer>(
  update: Update,
  store: () => Promise<Answer>,
  { api, tracer, running }: WatchOptions,
): Promise<Answer> {
  const operation = running.getStore()
  if (operation?.operation !== 'mercure.publish') return await store()
  const facts = describeUpdate(update)
  operation.updates++
  operation.learn(operation.updates === 1 ? facts : { 'messaging.batch.message_count': operation.updates })
  const span = tracer.startSpan('mercure.transport.publish', { attributes: facts }, operation.context)
  try {
    return await api.context.with(api.trace.setSpan(operation.context, span), store)
  } catch (error) {
    fail(span, error, true)
    throw error
  } finally {
    span.end()
  }
}

/** Ends when the last page was read, at the reader's pace. */
function followHistory(
  history: NonNullable<Transport['history']>,
  { api, tracer, running }: WatchOptions,
): NonNullable<Transport['history']> {
  return async (from, options) => {
    const operation = running.getStore()
    if (operation?.operation !== 'mercure.subscribe' || operation.hasEnded) return await history(from, options)
    const span = tracer.startSpan('mercure.transport.history', {}, operation.context)
    operation.open(span)
    const failed = (error: unknown) => {
      if (!options.signal.aborted) fail(span, error, true)
      operation.finish(span)
    }
    try {
      const { found, position, pages } = await api.context.with(api.trace.setSpan(operation.context, span), () =>
        history(from, options),
      )
      span.setAttribute('mercure.history.found', found)
      const read = (entries: number) => operation.finish(span, { 'mercure.history.entries': entries })
      if (!found) read(0)
      return { found, ...(position !== undefined && { position }), pages: follow(pages, { read, failed }) }
    } catch (error) {
      failed(error)
      throw error
    }
  }
}

async function* follow(
  pages: AsyncIterable<HistoryPage>,
  { read, failed }: { readonly read: (entries: number) => void; readonly failed: (error: unknown) => void },
): AsyncGenerator<HistoryPage, void> {
  let entries = 0
  try {
    for await (const page of pages) {
      entries += page.entries.length
      yield page
    }
  } catch (error) {
    failed(error)
    throw error
  } finally {
    read(entries)
  }
}
