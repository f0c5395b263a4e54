import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Connection } from '../support/connection.ts'
import { EventStream } from '../support/event-stream.ts'
import { refused, WorkersHub } from '../support/workers.ts'

suite('the end of several workers', { concurrency: 3 }, () => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    test(`${signal} ends every stream of every worker, and all processes, with 0`, async () => {
      await using hub = await WorkersHub.start('subscriptions: true')
      const streams = await hub.subscribeAtEach('topic=a')
      await hub.publish({ topic: 'a', data: 'the last' })
      hub.process.signal(signal)
      // A supervisor may signal all of them, and twice.
      for (const { pid } of streams) process.kill(pid, signal)
      hub.process.signal(signal)
      for (const { stream } of streams) {
        assert.equal((await stream.take())[0]?.data, 'the last')
        await stream.end()
      }
      assert.equal(await hub.process.exit(), 0)
      assert.equal(hub.process.stderr, '')
      assert.equal(hub.process.messages.at(-1), 'stopped')
      assert.equal(hub.process.messages.filter(msg => msg === 'shutting down').length, 1)
      const left = hub.process.log.filter(({ msg, reason }) => msg === 'subscriber left' && reason === 'shutdown')
      assert.deepEqual(left.map(({ worker }) => worker).sort(), [1, 2])
    })
  }

  test('a later signal ends all of them at once, whatever is under way', async () => {
    await using hub = await WorkersHub.start('shutdown_timeout: 10m\nread_timeout: 0s\nread_header_timeout: 0s')
    await hub.subscribeAtEach('topic=a')
    const half = 'GET /healthz HTTP/1.1\r\nHost: hub\r\n'
    const busy = await Promise.all([1, 2, 3, 4].map(() => Connection.open(hub.url)))
    for (const connection of busy) connection.send(half)
    await hub.readAtEach('/healthz')
    const again = setInterval(() => hub.process.signal('SIGINT'), 100)
    assert.equal(await hub.process.exit(), 130)
    clearInterval(again)
    for (const connection of busy) await connection.end()
    assert.ok(!hub.process.messages.includes('stopped'))
  })

  test('when the primary process is killed the workers end', async () => {
    await using hub = await WorkersHub.start()
    const streams = await hub.subscribeAtEach('topic=a')
    hub.process.signal('SIGKILL')
    for (const { stream } of streams) await stream.end()
    await refused(hub.url)
    assert.equal(await hub.process.exit(), 'SIGKILL')
  })

  test('all workers are killed at once: they come back, at the same address', async () => {
    await using hub = await WorkersHub.start('transport_url: local://local?size=10')
    const streams = await hub.subscribeAtEach('topic=a')
    const before = await hub.publish({ topic: 'a', data: 'before' })
    for (const { stream } of streams) await stream.take()
    for (const { pid } of streams) process.kill(pid, 'SIGKILL')
    for (const worker of [1, 2]) await hub.logged(({ msg }) => msg === `worker ${worker} is back`)
    const after = await hub.publish({ topic: 'a', data: 'after' })
    const stream = await EventStream.open(`${hub.hubUrl}?topic=a&last_event_id=${before}`)
    assert.equal((await stream.take())[0]?.id, after)
    stream.close()
    // The first of them that ends again has the port that the other one was given.
    const { worker, pid } = await hub.subscribe('topic=a')
    process.kill(pid, 'SIGKILL')
    const back = `worker ${worker} is back`
    await hub.process.until(() => hub.process.messages.filter(msg => msg === back).length === 2)
    assert.deepEqual(
      hub.process.messages.filter(msg => String(msg).includes('cannot start')),
      [],
    )
  })
})
