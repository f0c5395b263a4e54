import { once } from 'node:events'
import { connect } from 'node:net'
import { openTransport } from '../../transports/index.ts'
import { createTestUpdate } from '../support/node.ts'
import { hubPath } from './bench.ts'
import { readMarks } from './marks.ts'

// A log whose updates are numbered from 0, so that a replay of it can be checked update by update.

/** Of these, the update with number `i` has the topic `i` modulo `topics`. */
export const topics = 1000
export const topicOf = (i: number): string => `https://example.com/books/${i % topics}`
export const idOf = (i: number): string => `urn:uuid:01934f5e-7a6b-7c9d-8000-${i.toString(16).padStart(12, '0')}`

/** Publishes them through the transport alone, `atOnce` at a time. Resolves with publishes per second. */
export async function fill(transportUrl: string, size: number, atOnce: number): Promise<number> {
  const transport = await openTransport(new URL(transportUrl), { log: { info() {}, warn() {}, error() {} } })
  await transport.start({ backfill: 1 }, () => {})
  const started = performance.now()
  let next = 0
  const publish = async () => {
    while (next < size) {
      const i = next++
      await transport.publish(createTestUpdate({ id: idOf(i), topics: [topicOf(i)], data: `~${i}~`.padEnd(100, 'x') }))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, publish))
  const seconds = (performance.now() - started) / 1000
  await transport.close()
  return size / seconds
}

/** How long a replay took, from before the connection. */
export interface Replay {
  readonly firstMs: number
  readonly lastMs: number
}

/**
 * Subscribes after the update before `first` and leaves when `count` have come: number `first + offset`, and each `step`th from there.
 * @throws Error when another comes
 */
export async function replay(
  port: number,
  topic: string,
  first: number,
  count: number,
  step = 1,
  offset = 0,
): Promise<Replay> {
  const lastEventId = first === 0 ? 'earliest' : idOf(first - 1)
  const started = performance.now()
  let firstMs = 0
  let lastMs = 0
  let received = 0
  const socket = connect(port, '127.0.0.1').setNoDelay()
  socket.write(`GET ${hubPath}?topic=${topic} HTTP/1.1\r\nHost: 127.0.0.1\r\nLast-Event-ID: ${lastEventId}\r\n\r\n`)
  socket.on(
    'data',
    readMarks(mark => {
      if (received === count) return
      const expected = first + offset + received++ * step
      if (Number(mark) !== expected) socket.destroy(new Error(`Update ${mark} came where ${expected} was expected.`))
      if (received === 1) firstMs = performance.now() - started
      if (received < count) return
      lastMs = performance.now() - started
      socket.resetAndDestroy()
    }),
  )
  await once(socket, 'close')
  if (received < count) throw new Error(`The stream ended after ${received} of ${count} updates.`)
  return { firstMs, lastMs }
}
