import assert from 'node:assert/strict'
import { type Cursor, Hub, type HubObserver } from '../../src/hub/hub.ts'
import type { Subscriber } from '../../src/hub/subscriber.ts'
import type { Grant } from '../../src/protocol/grant.ts'
import { createMatcherCompiler, type Matcher } from '../../src/protocol/matcher.ts'
import type { Update } from '../../src/protocol/update.ts'
import type { PublishKey, Transport } from '../../src/transport.ts'
import { Collector } from './collector.ts'

export const compile = createMatcherCompiler({ base: 'http://hub.example/.well-known/mercure' })

export const topicMatchers = (...topics: string[]): Matcher[] => topics.map(topic => compile('topic', topic))

/** A grant of 0.x for these subscribe selectors. */
export const subscribeGrant = (...selectors: string[]): Grant => ({
  generation: '0.x',
  publish: null,
  subscribe: topicMatchers(...selectors),
  payloadFor: () => undefined,
  issuer: undefined,
  subject: undefined,
  tokenId: undefined,
  expiresAt: undefined,
})

/** An update with what a test does not care about filled in. */
export const createTestUpdate = (fields: Partial<Update> & { id: string }): Update => ({
  topics: ['https://example.com/a'],
  data: `data of ${fields.id}`,
  type: '',
  retry: 0,
  private: false,
  ...fields,
})

/** A key that is remembered for longer than a test takes, unless it says otherwise. */
export const createTestKey = (text: string, { fingerprint = 'same', rememberMs = 300_000 } = {}): PublishKey => ({
  text,
  fingerprint,
  rememberMs,
})

/** A hub without HTTP on a transport, and what failed in it. */
export interface TestNode {
  readonly hub: Hub
  readonly failures: unknown[]
  publish(fields: Partial<Update> & { id: string }): Promise<void>
  publishOnce(fields: Partial<Update> & { id: string }, key: PublishKey): Promise<string | undefined>
  subscribe(options: {
    topics: string[]
    lastEventId?: string
    grant?: Grant
    collector?: Collector
  }): Promise<{ collector: Collector; cursor: Cursor; subscriber: Subscriber; leave(): void }>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export async function startNode(
  transport: Transport,
  options: { recent?: { entries: number; bytes: number }; maxQueueBytes?: number } = {},
): Promise<TestNode> {
  const failures: unknown[] = []
  const observer: HubObserver = {
    published: () => {},
    delivered: () => {},
    firstWritten: () => {},
    lastWritten: () => {},
    resumed: () => {},
    replayed: () => {},
    repeated: () => {},
    logFailed: () => {},
    subscribed: () => {},
    unsubscribed: () => {},
    failed: error => failures.push(error),
  }
  const { recent = { entries: 1000, bytes: 64 << 20 }, maxQueueBytes = 1 << 20 } = options
  const hub = new Hub({ transport, recent, maxQueueBytes, subscriptions: false, observer })
  await hub.start()
  const close = () => hub.close()
  return {
    hub,
    failures,
    publish: fields => hub.publish(createTestUpdate(fields)),
    publishOnce: (fields, key) => hub.publishOnce(createTestUpdate(fields), key),
    async subscribe({ topics, lastEventId, grant, collector = new Collector() }) {
      const matchers = topicMatchers(...topics)
      const cursor = await hub.locate(lastEventId, matchers, new AbortController().signal)
      const subscriber = hub.subscribe({ matchers, grant: grant ?? null, cursor, sink: collector })
      collector.onEnd = reason => hub.unsubscribe(subscriber, reason)
      return { collector, cursor, subscriber, leave: () => collector.end('client closed') }
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** The ids of everything up to this one. A reader whom the log overtakes by forgetting what comes next is ended, and begins again. */
export async function readUpTo(node: TestNode, last: string): Promise<string[]> {
  for (;;) {
    const { collector } = await node.subscribe({ topics: ['*'], lastEventId: 'earliest' })
    while (!collector.ids.includes(last) && collector.ended === undefined) {
      await collector.received(collector.events.length + 1)
    }
    if (collector.ended === undefined) return collector.ids
    assert.equal(collector.ended, 'too slow')
  }
}
