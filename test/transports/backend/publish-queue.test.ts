import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { describe, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { HubError } from '../../../src/errors.ts'
import { Connection } from '../../../transports/backend/connection.ts'
import { Failure } from '../../../transports/backend/failure.ts'
import { Outage } from '../../../transports/backend/outage.ts'
import { PublishQueue } from '../../../transports/backend/publish-queue.ts'
import { Ledger, LedgerSession } from '../../support/ledger.ts'
import { createTestKey, createTestUpdate } from '../../support/node.ts'

const notStored = { code: 'transport_unavailable', message: /^The update was not stored/ }
const perhapsStored = { code: 'transport_unavailable', message: /^It is not known whether the update was stored/ }
const notSent = { code: 'transport_unavailable', message: /^The message was not sent/ }

interface Options {
  readonly publishTimeoutMs?: number
  readonly groupsUnderWay?: number
  /** Of what is stored, those whose ids this does not match are stored amiss. */
  readonly expects?: RegExp
}

/** A queue before a ledger, with what it logs. */
class QueueUnderTest implements AsyncDisposable {
  readonly ledger: Ledger
  readonly connection: Connection<LedgerSession>
  readonly queue: PublishQueue<LedgerSession, string>
  readonly outage: Outage
  readonly #lines = new EventEmitter()
  #refuses = false

  static async start(options: Options = {}): Promise<QueueUnderTest> {
    const made = new QueueUnderTest(await Ledger.start(), options)
    await made.connection.session()
    return made
  }

  private constructor(ledger: Ledger, { publishTimeoutMs = 0, groupsUnderWay = 1, expects }: Options) {
    this.ledger = ledger
    const note = (_: object, message: string) => void this.#lines.emit('line', message)
    const log = { info: note, warn: note, error: note }
    const outage = new Outage({ name: 'The ledger', scheme: 'ledger' }, log)
    this.outage = outage
    const connection = new Connection({
      name: 'commands',
      outage,
      connect: async () => {
        if (this.#refuses) throw new Failure('broken', 'nobody is there')
        return await LedgerSession.open(ledger.port)
      },
    })
    this.connection = connection
    this.queue = new PublishQueue<LedgerSession, string>({
      ...{ connection, outage, publishTimeoutMs, groupsUnderWay },
      groupBounds: { updates: 3, size: 1 << 20 },
      encode: ({ id, data }) => ({ item: id, size: data.length }),
      async store(session, { messages, items, acknowledge }) {
        const texts = messages.map(bytes => Buffer.from(bytes).toString())
        await session.store(texts, items, acknowledge)
        if (items.some(id => expects?.test(id) === false)) throw new HubError('transport_unavailable', 'Stored amiss.')
      },
    })
  }

  publish(id: string, data = ''): Promise<void> {
    return this.queue.publish(createTestUpdate({ id, data }))
  }

  send(message: string): Promise<void> {
    return this.queue.send(Buffer.from(message))
  }

  /** Resolves when the outage has told so. */
  async logs(message: RegExp): Promise<void> {
    for (;;) if (message.test((await once(this.#lines, 'line'))[0])) return
  }

  /** Loses the connection, and finds none until `return`. */
  async leave(): Promise<void> {
    this.#refuses = true
    const told = this.logs(/cannot be used/)
    this.connection.drop(this.connection.current!, new Failure('broken', 'cut'))
    await told
  }

  return(): void {
    this.#refuses = false
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.queue.close()
    await this.connection.close()
    await closed
    await this.ledger[Symbol.asyncDispose]()
  }
}

describe('groups', () => {
  test('what is published in one turn goes together, and what comes meanwhile in the next ones', async () => {
    await using parts = await QueueUnderTest.start()
    const { ledger } = parts
    const published = ['a', 'b'].map(id => parts.publish(id))
    const first = await ledger.next()
    published.push(...['c', 'd', 'e', 'f'].map(id => parts.publish(id)))
    assert.deepEqual(first.items, ['a', 'b'])
    first.store()
    assert.deepEqual((await ledger.storeNext()).items, ['c', 'd', 'e'])
    assert.deepEqual((await ledger.storeNext()).items, ['f'])
    await Promise.all(published)
  })

  test('a group has its bounds in size, and a larger update goes alone', async () => {
    await using parts = await QueueUnderTest.start()
    const sizes = [1 << 19, 1 << 19, 1, 1 << 21, 1]
    const published = sizes.map((size, i) => parts.publish(String(i), 'x'.repeat(size)))
    const groups: (readonly string[])[] = []
    for (let i = 0; i < 4; i++) groups.push((await parts.ledger.storeNext()).items)
    assert.deepEqual(groups, [['0', '1'], ['2'], ['3'], ['4']])
    await Promise.all(published)
  })

  test('updates with the same key go in groups of their own, one after the other', async () => {
    await using parts = await QueueUnderTest.start()
    const published = ['a', 'b', 'c'].map(id => parts.queue.publishOnce(createTestUpdate({ id }), createTestKey(id)))
    published.push(parts.queue.publishOnce(createTestUpdate({ id: 'd' }), createTestKey('b')))
    const plain = parts.publish('e')
    const groups = [await parts.ledger.storeNext(), await parts.ledger.storeNext()].map(({ items }) => items)
    assert.deepEqual(groups, [
      ['a', 'b', 'c'],
      ['d', 'e'],
    ])
    assert.deepEqual(await Promise.all(published), Array(4).fill(undefined))
    await plain
  })

  test('messages go before the updates that were published after them, however many they are', async () => {
    await using parts = await QueueUnderTest.start()
    const sent = Array.from({ length: 2500 }, (_, i) => parts.send(String(i)))
    const published = parts.publish('after')
    const groups = [await parts.ledger.storeNext(), await parts.ledger.storeNext(), await parts.ledger.storeNext()]
    assert.deepEqual(
      groups.map(({ messages, items }) => [messages.length, items]),
      [
        [1000, []],
        [1000, []],
        [500, ['after']],
      ],
    )
    await Promise.all([...sent, published])
    assert.deepEqual(
      parts.ledger.messages,
      sent.map((_, i) => String(i)),
    )
  })

  test('several are under way at once where the backend keeps their order', async () => {
    await using parts = await QueueUnderTest.start({ groupsUnderWay: 2 })
    const published = Array.from({ length: 8 }, (_, i) => parts.publish(String(i)))
    const [first, second] = [await parts.ledger.next(), await parts.ledger.next()]
    assert.equal(parts.ledger.unread, 0)
    first.store()
    const third = await parts.ledger.next()
    second.store()
    third.store()
    await Promise.all(published)
    assert.deepEqual(
      parts.ledger.items,
      published.map((_, i) => String(i)),
    )
  })

  test('publishers are told as the backend acknowledges, and only the others share what follows', async () => {
    await using parts = await QueueUnderTest.start()
    const [a, b, c] = ['a', 'b', 'c'].map(id => parts.publish(id))
    const request = await parts.ledger.next()
    request.acknowledge(2)
    await Promise.all([a, b])
    request.cut()
    await assert.rejects(c!, perhapsStored)
  })
})

describe('what becomes of an update', () => {
  test('cut off: it is not known, and it is not sent again', async () => {
    await using parts = await QueueUnderTest.start()
    const published = parts.publish('a')
    const request = await parts.ledger.next()
    request.cut()
    await assert.rejects(published, perhapsStored)
    const next = parts.publish('b')
    assert.deepEqual((await parts.ledger.storeNext()).items, ['b'])
    await next
  })

  test('not answered in time: it is not known; behind it, not sent in time: it is not stored', async () => {
    await using parts = await QueueUnderTest.start({ publishTimeoutMs: 100 })
    const first = assert.rejects(parts.publish('a'), perhapsStored)
    const request = await parts.ledger.next()
    await assert.rejects(parts.publish('b'), notStored)
    await first
    request.store()
    const sent = parts.send('next')
    assert.deepEqual((await parts.ledger.storeNext()).items, [])
    await sent
  })

  test('not now: it goes again, before what was published after it', async () => {
    await using parts = await QueueUnderTest.start()
    const published = ['a', 'b'].map(id => parts.publish(id))
    const request = await parts.ledger.next()
    published.push(parts.publish('c'))
    request.fail('passing', 'loading')
    assert.deepEqual((await parts.ledger.storeNext()).items, ['a', 'b', 'c'])
    await Promise.all(published)
  })

  test('not now, when its publisher has been told that it is not known: it does not go again', async () => {
    await using parts = await QueueUnderTest.start({ publishTimeoutMs: 100 })
    const published = assert.rejects(parts.publish('a'), perhapsStored)
    const request = await parts.ledger.next()
    await published
    const returned = parts.logs(/can be used again/)
    request.fail('passing', 'loading')
    await returned
    const sent = parts.send('next')
    assert.deepEqual((await parts.ledger.storeNext()).items, [])
    await sent
  })

  test('refused: not stored, with a line in the log, until one is or would be', async () => {
    await using parts = await QueueUnderTest.start()
    const { outage } = parts
    for (const recovers of ['publish', 'recover'] as const) {
      const published = parts.publish('a')
      const told = parts.logs(/The ledger cannot be used: full/)
      const request = await parts.ledger.next()
      request.fail('refused', 'full')
      await Promise.all([assert.rejects(published, notStored), told])
      assert.equal(outage.reason, 'full')
      const over = parts.logs(/can be used again/)
      if (recovers === 'publish') {
        const next = parts.publish('b')
        await parts.ledger.storeNext()
        await next
      } else parts.queue.recover()
      await over
      assert.equal(outage.reason, undefined)
    }
  })

  test('messages that are sent say nothing of updates, and updates that are stored say that messages would be', async () => {
    await using parts = await QueueUnderTest.start()
    const { ledger, outage } = parts
    const refused = assert.rejects(parts.publish('a'), notStored)
    ;(await ledger.next()).fail('refused', 'full')
    await refused
    const sent = parts.send('message')
    await ledger.storeNext()
    await sent
    assert.equal(outage.reason, 'full')
    const unsent = assert.rejects(parts.send('message'), notSent)
    ;(await ledger.next()).fail('refused', 'not allowed')
    await unsent
    const stored = parts.publish('b')
    await ledger.storeNext()
    await stored
    assert.equal(outage.reason, undefined)
  })

  test('stored, and not as it should be: told in the words of the transport', async () => {
    await using parts = await QueueUnderTest.start({ expects: /^good/ })
    const published = parts.publish('bad')
    await parts.ledger.storeNext()
    await assert.rejects(published, { message: 'Stored amiss.' })
    const next = parts.publish('good')
    assert.deepEqual((await parts.ledger.storeNext()).items, ['good'])
    await next
  })

  test('of several under way, what failed does not go again behind what was stored', async () => {
    await using parts = await QueueUnderTest.start({ groupsUnderWay: 3 })
    const ids = Array.from({ length: 9 }, (_, i) => String(i))
    const results = Promise.allSettled(ids.map(id => parts.publish(id)))
    const [first, second, third] = [await parts.ledger.next(), await parts.ledger.next(), await parts.ledger.next()]
    first.fail('passing', 'loading')
    second.store()
    third.fail('passing', 'loading')
    assert.deepEqual((await parts.ledger.storeNext()).items, ['6', '7', '8'])
    const statuses = (await results).map(({ status }) => status)
    assert.deepEqual(statuses, [...Array(3).fill('rejected'), ...Array(6).fill('fulfilled')])
    assert.deepEqual(parts.ledger.items, ids.slice(3))
  })

  test('of several under way that all failed, all go again in their order', async () => {
    await using parts = await QueueUnderTest.start({ groupsUnderWay: 3 })
    const ids = Array.from({ length: 6 }, (_, i) => String(i))
    const published = ids.map(id => parts.publish(id))
    const [first, second] = [await parts.ledger.next(), await parts.ledger.next()]
    const returned = parts.logs(/can be used again/)
    second.fail('passing', 'loading')
    await returned
    // It could go now, and does not, since it is not known what becomes of the first.
    published.push(parts.publish('6'))
    await nextTurn()
    first.fail('passing', 'loading')
    for (let i = 0; i < 3; i++) await parts.ledger.storeNext()
    await Promise.all(published)
    assert.deepEqual(parts.ledger.items, [...ids, '6'])
  })
})

describe('without a connection', () => {
  test('updates wait for one, and messages do not', async () => {
    await using parts = await QueueUnderTest.start()
    await parts.leave()
    const published = ['a', 'b'].map(id => parts.publish(id))
    await assert.rejects(parts.send('lost'), notSent)
    parts.return()
    assert.deepEqual((await parts.ledger.storeNext()).items, ['a', 'b'])
    await Promise.all(published)
    assert.deepEqual(parts.ledger.messages, [])
  })

  test('a message that was sent before it was lost does not wait for the next one', async () => {
    await using parts = await QueueUnderTest.start()
    const published = assert.rejects(parts.publish('a'), perhapsStored)
    const request = await parts.ledger.next()
    const sent = assert.rejects(parts.send('old'), notSent)
    const returned = parts.logs(/can be used again/)
    // The next one is there before the last one has ended.
    parts.connection.drop(parts.connection.current!, new Failure('broken', 'it does not answer'))
    await returned
    request.cut()
    await Promise.all([published, sent])
    const next = parts.publish('b')
    const { messages, items } = await parts.ledger.storeNext()
    assert.deepEqual([messages, items], [[], ['b']])
    await next
  })

  test('a message that was sent before it was lost is given up, though there is no next one yet', async () => {
    await using parts = await QueueUnderTest.start()
    const published = assert.rejects(parts.publish('a'), perhapsStored)
    const request = await parts.ledger.next()
    const sent = assert.rejects(parts.send('old'), notSent)
    const waiting = parts.publish('b')
    await parts.leave()
    request.cut()
    await Promise.all([published, sent])
    parts.return()
    assert.deepEqual((await parts.ledger.storeNext()).items, ['b'])
    await waiting
  })

  test('updates that wait too long are refused, and not stored later', async () => {
    await using parts = await QueueUnderTest.start({ publishTimeoutMs: 100 })
    await parts.leave()
    await assert.rejects(parts.publish('late'), notStored)
    const returned = parts.logs(/can be used again/)
    parts.return()
    await returned
    const sent = parts.send('next')
    assert.deepEqual((await parts.ledger.storeNext()).items, [])
    await sent
  })

  test('more than can wait are refused at once, until those are stored', async () => {
    await using parts = await QueueUnderTest.start()
    await parts.leave()
    const data = 'x'.repeat(1 << 24)
    const published = ['a', 'b', 'c', 'd'].map(id => parts.publish(id, data))
    await assert.rejects(parts.publish('e', data), notStored)
    parts.return()
    for (let i = 0; i < 4; i++) await parts.ledger.storeNext()
    await Promise.all(published)
    const next = parts.publish('f')
    await parts.ledger.storeNext()
    await next
    assert.deepEqual(parts.ledger.items, ['a', 'b', 'c', 'd', 'f'])
  })

  test('closed: what waits is refused', async () => {
    await using parts = await QueueUnderTest.start()
    await parts.leave()
    const published = assert.rejects(parts.publish('a'), notStored)
    await parts.queue.close()
    await published
    await assert.rejects(parts.publish('b'), { message: 'The log is closed.' })
    await assert.rejects(parts.send('c'), { message: 'The log is closed.' })
  })
})

test('closed with a connection: what was published before is stored', async () => {
  await using parts = await QueueUnderTest.start()
  const published = ['a', 'b', 'c', 'd'].map(id => parts.publish(id))
  const closed = parts.queue.close()
  await parts.ledger.storeNext()
  await parts.ledger.storeNext()
  await Promise.all([...published, closed])
  assert.deepEqual(parts.ledger.items, ['a', 'b', 'c', 'd'])
})

test('closed, and cut off meanwhile: what is under way is not known, and what waits is refused', async () => {
  await using parts = await QueueUnderTest.start()
  const results = ['a', 'b', 'c', 'd'].map(id => parts.publish(id))
  const told = Promise.all(results.map((result, i) => assert.rejects(result, i < 3 ? perhapsStored : notStored)))
  const request = await parts.ledger.next()
  const closed = parts.queue.close()
  request.cut()
  await Promise.all([told, closed])
})
