import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { suite, test } from 'node:test'
import { type Context, type ContextManager, context, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { embedHub, listenWith } from '../support/embedding.ts'
import { EventStream } from '../support/event-stream.ts'
import { publisherToken } from '../support/token.ts'

/** Spans follow what the application does asynchronously, as where it uses OpenTelemetry's own. */
class Contexts implements ContextManager {
  readonly #active = new AsyncLocalStorage<Context>()
  active(): Context {
    return this.#active.getStore() ?? ROOT_CONTEXT
  }
  with<Args extends unknown[], Act extends (...args: Args) => ReturnType<Act>>(
    active: Context,
    act: Act,
    self?: ThisParameterType<Act>,
    ...args: Args
  ): ReturnType<Act> {
    return this.#active.run(active, () => act.apply(self, args))
  }
  bind<Target>(_context: Context, target: Target): Target {
    return target
  }
  enable(): this {
    return this
  }
  disable(): this {
    return this
  }
}

const exporter = new InMemorySpanExporter()
context.setGlobalContextManager(new Contexts())
trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }))
const tracer = trace.getTracer('application')

const inTrace = (traceId: string) => exporter.getFinishedSpans().filter(span => span.spanContext().traceId === traceId)

suite('a hub in an application', () => {
  test('that traces: spans are children of those of the application, and of its provider', async t => {
    const hub = await embedHub(t, { tracing: true })
    const traceId = await tracer.startActiveSpan('order', async span => {
      const updates = await hub.subscribe({ topics: 'a' })
      await hub.publish({ topics: 'a', id: 'urn:1' })
      await updates.next()
      span.end()
      return span.spanContext().traceId
    })
    const [subscribe, store, publish, order] = inTrace(traceId)
    assert.deepEqual(
      [subscribe, store, publish, order].map(span => span?.name),
      ['mercure.subscribe', 'mercure.transport.publish', 'mercure.publish', 'order'],
    )
    const parents = [subscribe, store, publish].map(span => span?.parentSpanContext?.spanId)
    const id = (span: typeof order) => span?.spanContext().spanId
    assert.deepEqual(parents, [id(order), id(publish), id(order)])
    assert.equal(publish?.attributes['mercure.update.id'], 'urn:1')
  })

  test("whose requests it traces itself: theirs is the parent, not the publisher's", async t => {
    const hub = await embedHub(t, { tracing: true })
    const { promise, resolve } = Promise.withResolvers<string>()
    const origin = await listenWith(t, (request, response) => {
      tracer.startActiveSpan('request', span => {
        resolve(span.spanContext().traceId)
        response.on('close', () => span.end())
        hub.listener(request, response)
      })
    })
    const answer = await fetch(`${origin}/.well-known/mercure`, {
      method: 'POST',
      body: new URLSearchParams({ topic: 'a' }),
      headers: {
        Authorization: `Bearer ${await publisherToken()}`,
        traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      },
    })
    assert.equal(answer.status, 200)
    const names = inTrace(await promise).map(({ name }) => name)
    assert.deepEqual(names.slice(0, 2), ['mercure.transport.publish', 'mercure.publish'])
  })

  test('that is not told to has no spans', async t => {
    const hub = await embedHub(t)
    const before = exporter.getFinishedSpans().length
    const origin = await listenWith(t, hub.listener)
    const stream = await EventStream.open(`${origin}/.well-known/mercure?topic=a`)
    await hub.publish({ topics: 'a' })
    await stream.take()
    stream.close()
    assert.equal(exporter.getFinishedSpans().length, before)
  })
})
