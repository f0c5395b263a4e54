import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { HubError } from '../../src/errors.ts'
import type { HistoryPage, LogEntry, Transport } from '../../src/transport.ts'
import { Link } from '../../src/workers/link.ts'
import { Readings } from '../../src/workers/readings.ts'
import { openRemoteLog } from '../../src/workers/remote-log.ts'
import { open } from '../../transports/local.ts'
import { HostedLog, socketPair } from '../support/log-ends.ts'
import { createTestUpdate } from '../support/node.ts'

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

const openLocal = () => open(new URL('local://local?size=100'), { log: { info() {}, warn() {}, error() {} } })

/** Starts an end, and gives what is delivered there. */
async function follow(end: Transport, backfill = 10): Promise<{ past: string[]; live: string[]; entries: LogEntry[] }> {
  const followed = { past: [] as string[], live: [] as string[], entries: [] as LogEntry[] }
  await end.start({ backfill }, (entry, live) => {
    followed[live ? 'live' : 'past'].push(entry.update.id)
    followed.entries.push(entry)
  })
  return followed
}

suite('the log as a worker has it', () => {
  test('one that starts later gets the newest entries as past, then the rest live, with no gap between', async () => {
    await using log = await HostedLog.open(await openLocal())
    const writer = await log.connect()
    const publishing = Array.from({ length: 50 }, (_, i) => writer.publish(createTestUpdate({ id: String(i) })))
    await publishing[20]
    const reader = await log.connect()
    const followed = await follow(reader, 5)
    await Promise.all(publishing)
    await reader.ready!()
    assert.ok(followed.past.length <= 5)
    const first = Number(followed.past[0] ?? followed.live[0])
    const expected = Array.from({ length: 50 - first }, (_, i) => String(first + i))
    assert.deepEqual([...followed.past, ...followed.live], expected)
  })

  test('an update keeps all that it had; its data is read from the event', async () => {
    await using log = await HostedLog.open(await openLocal())
    const end = await log.connect()
    const { entries } = await follow(end)
    const update = createTestUpdate({
      id: 'ünï',
      topics: ['a', 'b'],
      data: 'one\ndata: two\n\nthree 🎉',
      type: 'data: x',
      retry: 5,
      private: true,
    })
    await end.publish(update)
    const [
      {
        update: { id, topics, data, type, retry, private: isPrivate },
        position,
        reused,
      },
    ] = entries as [LogEntry]
    assert.deepEqual({ id, topics, data, type, retry, private: isPrivate }, update)
    assert.deepEqual([position, reused], ['0', false])
  })

  test('when the process that keeps it has gone, everything under way is refused, and everything after', async () => {
    const log = await HostedLog.open({
      ...(await openLocal()),
      start: async () => {},
      publish: () => new Promise(() => {}),
      close: async () => {},
    })
    const end = await log.connect()
    await follow(end)
    const publishing = end.publish(createTestUpdate({ id: 'a' }))
    log.hostLinks[0]!.destroy()
    await assert.rejects(publishing, { code: 'transport_unavailable' })
    await log.links[0]!.closed
    await assert.rejects(end.publish(createTestUpdate({ id: 'b' })), { code: 'transport_unavailable' })
    await assert.rejects(end.ready!(), { code: 'transport_unavailable' })
    await log[Symbol.asyncDispose]()
  })

  test('what the transport refuses is refused with its code and sentence, a defect with its stack', async () => {
    const faults: Error[] = [new HubError('transport_unavailable', 'The disk is full.'), new TypeError('a defect')]
    const publish = async () => {
      throw faults.shift()!
    }
    await using log = await HostedLog.open({ start: async () => {}, publish, close: async () => {} })
    const end = await log.connect()
    await assert.rejects(end.publish(createTestUpdate({ id: 'a' })), {
      name: 'HubError',
      code: 'transport_unavailable',
      message: 'The disk is full.',
    })
    await assert.rejects(end.publish(createTestUpdate({ id: 'a' })), ({ message, stack }: Error) => {
      assert.equal(message, 'a defect')
      assert.match(stack!, /remote-log\.test/)
      return true
    })
  })

  test('messages reach every worker, the sender too; the will of one that vanishes the others, of one that leaves nobody', async () => {
    await using log = await HostedLog.open(await openLocal())
    const ends = [await log.connect(), await log.connect(), await log.connect()]
    const received = ends.map((end, i) => {
      const messages: string[] = []
      end.broadcast!.receive(message => messages.push(Buffer.from(message).toString()))
      end.broadcast!.will!(Buffer.from(`the will of ${i}`))
      return messages
    })
    await ends[0]!.broadcast!.send(Buffer.from('hello'))
    await ends[0]!.ready!()
    await Promise.all(ends.map(end => end.ready!()))
    for (const messages of received) assert.deepEqual(messages, ['hello'])
    log.links[1]!.destroy()
    await log.hostLinks[1]!.closed
    await ends[2]!.close()
    await log.links[0]!.ask('ready')
    assert.deepEqual(received, [['hello', 'the will of 1'], ['hello'], ['hello', 'the will of 1']])
  })

  test('a worker that does not read is cut off at the bound; the others get everything', async () => {
    await using log = await HostedLog.open(await openLocal())
    let overflows = 0
    const stopped = await log.connect({ maxWaitingBytes: 1 << 20, onOverflow: () => overflows++ })
    const other = await log.connect()
    await follow(stopped)
    const { live } = await follow(other)
    log.sockets[0]!.pause()
    const data = 'x'.repeat(100_000)
    for (let i = 0; i < 40; i++) await other.publish(createTestUpdate({ id: String(i), data }))
    await log.hostLinks[0]!.closed
    assert.equal(overflows, 1)
    assert.equal(log.hostLinks[0]!.waitingBytes, 0)
    assert.equal(live.length, 40)
    log.links[0]!.destroy()
  })
})

suite('readings of the log by a worker', () => {
  /** A history of some pages that counts how many are read, and which readings were given up. */
  class Book {
    read = 0
    aborted = 0
    readonly pages: number
    readonly data: string
    constructor(pages: number, data = '') {
      this.pages = pages
      this.data = data
    }
    readonly history: NonNullable<Transport['history']> = async (from, { signal }) => {
      signal.addEventListener('abort', () => this.aborted++)
      return { found: from !== 'earliest' || this.pages > 0, pages: this.#turn() }
    }
    async *#turn(): AsyncGenerator<HistoryPage> {
      for (let page = 0; page < this.pages; page++) {
        this.read++
        yield {
          entries: [{ position: `${page}`, update: createTestUpdate({ id: `${page}`, data: this.data }) }],
          end: `${page}`,
        }
      }
    }
  }

  async function openBook(book: Book) {
    const [ours, theirs] = await socketPair()
    const options = { maxWaitingBytes: 1 << 26 }
    const hostLink = new Link(ours, options)
    const readings = new Readings(hostLink, book.history)
    hostLink.answer('log-facts', () => Buffer.from('{"recentEntries":null,"hasHistory":true}'))
    const link = new Link(theirs, options)
    const log = await openRemoteLog(link)
    // An answer to something asked later: what was sent before has been dealt with.
    hostLink.answer('ready', () => undefined)
    return { log, link, hostLink, readings, socket: theirs, [Symbol.asyncDispose]: async () => link.destroy() }
  }

  const signal = new AbortController().signal

  test('pages are read when they are asked for, and an ended reading is freed', async () => {
    const book = new Book(3)
    await using end = await openBook(book)
    const { found, pages } = await end.log.history!('earliest', { signal })
    assert.equal(found, true)
    assert.deepEqual([book.read, end.readings.size], [0, 1])
    const iterator = pages[Symbol.asyncIterator]()
    await iterator.next()
    await end.log.ready!()
    assert.equal(book.read, 1)
    const rest = await Array.fromAsync({ [Symbol.asyncIterator]: () => iterator })
    assert.deepEqual(
      rest.map(page => page.end),
      ['1', '2'],
    )
    assert.deepEqual(await iterator.next(), { done: true, value: undefined })
    assert.deepEqual([end.readings.size, book.aborted], [0, 0])
  })

  test('a reader that leaves early, one that is aborted, and a worker that goes free theirs', async () => {
    const book = new Book(1000)
    const end = await openBook(book)
    for await (const _ of (await end.log.history!('earliest', { signal })).pages) break
    await end.log.ready!()
    assert.deepEqual([end.readings.size, book.aborted], [0, 1])
    const abort = new AbortController()
    const { pages } = await end.log.history!('earliest', { signal: abort.signal })
    abort.abort()
    await assert.rejects(Array.fromAsync(pages), { name: 'AbortError' })
    await end.log.ready!()
    assert.deepEqual([end.readings.size, book.aborted], [0, 2])
    await end.log.history!('earliest', { signal })
    end.link.destroy()
    while (end.readings.size > 0) await nextTurn()
    assert.equal(book.aborted, 3)
  })

  test('a reading that nobody can go on with any more is freed', async () => {
    await using end = await openBook(new Book(3))
    for (let i = 0; i < 10; i++) await end.log.history!('earliest', { signal })
    assert.equal(end.readings.size, 10)
    while (end.readings.size > 0) {
      collectGarbage()
      await nextTurn()
    }
  })

  test('a mark that is not found holds nothing', async () => {
    await using end = await openBook(new Book(0))
    const { found, pages } = await end.log.history!('earliest', { signal })
    assert.equal(found, false)
    assert.deepEqual(await Array.fromAsync(pages), [])
    assert.equal(end.readings.size, 0)
  })

  test('a thousand readers at once: no more pages are read than the worker takes', async () => {
    const book = new Book(2, 'x'.repeat(100_000))
    await using end = await openBook(book)
    const all = await Promise.all(Array.from({ length: 1000 }, () => end.log.history!('earliest', { signal })))
    end.socket.pause()
    const reading = all.map(({ pages }) => Array.fromAsync(pages))
    while (end.hostLink.waitingBytes < 1 << 20) await nextTurn()
    for (let i = 0; i < 20; i++) await nextTurn()
    assert.ok(end.hostLink.waitingBytes < 2 << 20, `${end.hostLink.waitingBytes} bytes wait`)
    assert.ok(book.read < 50, `${book.read} pages were read`)
    end.socket.resume()
    for (const pages of await Promise.all(reading)) assert.equal(pages.length, 2)
    assert.equal(end.readings.size, 0)
  })
})
