import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { suite, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Backlog } from '../../src/http/backlog.ts'
import { Outlet } from '../../src/http/outlet.ts'
import { createRandom } from '../support/random.ts'

const megabyte = 1_000_000

/** Two ends of a connection: one to write to, one that is read only when told. */
async function openPair(): Promise<{ out: Socket; reader: Socket } & Disposable> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const reader = connect((server.address() as AddressInfo).port, '127.0.0.1').pause()
  const [[out]] = (await Promise.all([once(server, 'connection'), once(reader, 'connect')])) as [[Socket], unknown]
  for (const socket of [out, reader]) socket.on('error', () => {})
  server.close()
  const dispose = () => {
    out.destroy()
    reader.destroy()
  }
  return { out, reader, [Symbol.dispose]: dispose }
}

function createOutlet(out: Socket, maxBytes = 0) {
  const backlog = new Backlog(maxBytes)
  const ends: string[] = []
  const owner = {
    get waitingBytes(): number {
      return outlet.waitingBytes
    },
    end: (reason: 'too slow') => {
      ends.push(reason)
      outlet.drop()
    },
  }
  const outlet = new Outlet(out, backlog, owner)
  return { outlet, backlog, ends }
}

suite('an outlet', () => {
  for (let seed = 1; seed <= 5; seed++) {
    test(`lets everything out in order, whatever the sizes and the pauses of the reader (seed ${seed})`, async () => {
      using pair = await openPair()
      const { outlet, backlog } = createOutlet(pair.out)
      const { below, pick } = createRandom(seed)
      const [sent, received] = [createHash('sha256'), createHash('sha256')]
      let missing = 0
      pair.reader.on('data', bytes => {
        received.update(bytes)
        missing -= bytes.length
      })
      for (let i = 0; i < 300; i++) {
        const bytes = Buffer.alloc(1 + below(pick([100, 1000, 32 * 1024, 300_000])), below(256))
        sent.update(bytes)
        missing += bytes.length
        outlet.write(bytes)
        assert.ok(outlet.waitingBytes <= missing)
        assert.equal(outlet.isClear, outlet.waitingBytes === 0)
        if (below(10) === 0) pick([() => pair.reader.pause(), () => pair.reader.resume()])()
        if (below(3) === 0) await nextTurn()
      }
      pair.reader.resume()
      await new Promise<void>(resolve => outlet.whenEmpty(resolve))
      assert.equal(backlog.bytes, 0)
      pair.out.end()
      await once(pair.reader, 'end')
      assert.equal(missing, 0)
      assert.equal(received.digest('hex'), sent.digest('hex'))
    })
  }

  test('hands on little of what waits, and forgets the rest when it is dropped', async () => {
    using pair = await openPair()
    const { outlet, backlog } = createOutlet(pair.out)
    for (let i = 0; i < 30; i++) outlet.write(Buffer.alloc(megabyte))
    await nextTurn()
    assert.ok(outlet.waitingBytes > 10 * megabyte)
    assert.ok(pair.out.writableLength <= 64 * 1024)
    assert.ok(backlog.bytes >= outlet.waitingBytes - 64 * 1024)
    outlet.whenEmpty(() => assert.fail('it never empties'))
    outlet.drop()
    assert.equal(backlog.bytes, 0)
    assert.ok(outlet.waitingBytes <= 64 * 1024)
    pair.reader.resume()
    pair.out.end()
    await once(pair.reader, 'end')
  })

  test('may be ended by the very write that is too much', async () => {
    using pair = await openPair()
    const { outlet, backlog, ends } = createOutlet(pair.out, 20 * megabyte)
    for (let i = 0; i < 40 && ends.length === 0; i++) outlet.write(Buffer.alloc(megabyte))
    assert.deepEqual(ends, ['too slow'])
    assert.equal(backlog.bytes, 0)
  })
})
