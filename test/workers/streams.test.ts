import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { EventStream } from '../support/event-stream.ts'
import { WorkersHub } from '../support/workers.ts'

const topic = 'https://example.com/a'

suite('updates of several workers', { concurrency: 2 }, () => {
  for (const transport of ['local://local?size=1000', 'bolt://updates.db']) {
    test(`${transport}: subscribers of every worker get the same updates in the same order, whoever publishes`, async () => {
      await using hub = await WorkersHub.start(`transport_url: ${transport}`, 3)
      const streams = await hub.subscribeAtEach(`topic=${topic}`, {}, 3)
      const publishers = Array.from({ length: 8 }, async (_, publisher) => {
        for (let i = 0; i < 20; i++) assert.ok(await hub.publish({ topic, data: `${publisher}-${i}` }))
      })
      await Promise.all(publishers)
      for (const { stream } of streams) await stream.take(160)
      const [first, ...others] = streams.map(({ stream }) => stream.data)
      assert.equal(new Set(first).size, 160)
      for (const other of others) assert.deepEqual(other, first)
      for (let publisher = 0; publisher < 8; publisher++) {
        const own = first!.filter(data => data.startsWith(`${publisher}-`))
        assert.deepEqual(
          own,
          Array.from({ length: 20 }, (_, i) => `${publisher}-${i}`),
        )
      }
    })

    test(`${transport}: a worker is killed while updates are published: nobody misses one, and it is replaced`, async () => {
      await using hub = await WorkersHub.start(`transport_url: ${transport}`)
      const [victim, witness] = await hub.subscribeAtEach(`topic=${topic}`)
      const answered: string[] = []
      let stop = false
      const publishers = Array.from({ length: 4 }, async () => {
        while (!stop) {
          const id = await hub.publish({ topic, data: String(answered.length) })
          if (id !== undefined) answered.push(id)
        }
      })
      await victim!.stream.take(20)
      process.kill(victim!.pid, 'SIGKILL')
      await victim!.stream.end()
      const lastEventId = victim!.stream.ids.at(-1)!
      const resumed = await EventStream.open(`${hub.hubUrl}?topic=${topic}`, {
        headers: { 'Last-Event-ID': lastEventId },
      })
      assert.equal(resumed.response.headers.get('last-event-id'), lastEventId)
      await resumed.take(20)
      await hub.logged(({ msg }) => msg === `worker ${victim!.worker} is back`)
      stop = true
      await Promise.all(publishers)
      const last = await hub.publish({ topic, data: 'last' })
      await resumed.until(text => text.includes(last!))
      await witness!.stream.until(text => text.includes(last!))
      // Every subscriber has the same, once each, and all that was answered is among it.
      const received = [...victim!.stream.ids, ...resumed.ids]
      assert.deepEqual(received, witness!.stream.ids)
      assert.equal(new Set(received).size, received.length)
      assert.deepEqual(
        answered.filter(id => !received.includes(id)),
        [],
      )
      assert.match(String((await hub.logged(({ level }) => level === 50)).msg), /has ended \(SIGKILL\): it is replaced/)
      // The new one serves from the window that it was given.
      const [one, two] = await hub.subscribeAtEach(`topic=${topic}&last_event_id=${lastEventId}`)
      await one!.stream.take(resumed.ids.length)
      await two!.stream.take(resumed.ids.length)
      assert.deepEqual(one!.stream.ids, resumed.ids)
      assert.deepEqual(two!.stream.ids, resumed.ids)
    })
  }

  test('a worker that does not take what it is sent is killed and replaced; the others do not notice', async () => {
    await using hub = await WorkersHub.start(
      'transport_url: local://local\nrecent: {entries: 10, bytes: 1MiB}\nmax_request_body_size: 0\nmax_queue_bytes: 1GiB\nmax_queue_bytes_total: 0',
    )
    const [stopped, other] = await hub.subscribeAtEach(`topic=${topic}`)
    process.kill(stopped!.pid, 'SIGSTOP')
    const data = 'x'.repeat(4 << 20)
    // Those whose connection the stopped one was given have no answer before it is killed.
    const publishers = Array.from({ length: 4 }, async () => {
      let replaced = false
      while (!replaced) {
        await hub.publish({ topic, data })
        replaced = hub.process.messages.includes(`worker ${stopped!.worker} is back`)
      }
    })
    await hub.logged(({ msg }) => /^worker \d left \d+ bytes waiting: it hangs, and is killed$/.test(String(msg)))
    await hub.logged(({ msg }) => msg === `worker ${stopped!.worker} is back`)
    await Promise.all(publishers)
    const last = await hub.publish({ topic, data: 'last' })
    await other!.stream.until(text => text.includes(last!))
    assert.equal(new Set(other!.stream.ids).size, other!.stream.ids.length)
  })
})
