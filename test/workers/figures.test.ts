import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Figures } from '../../src/workers/figures.ts'
import { Link } from '../../src/workers/link.ts'
import { socketPair } from '../support/log-ends.ts'
import { impatient, WorkersHub } from '../support/workers.ts'

suite('figures of several workers', { concurrency: 2 }, () => {
  test('/metrics adds up the workers, whichever answers, and no sum goes back when one ends', async () => {
    await using hub = await WorkersHub.start('metrics_enabled: true\nmetrics_addr: ""')
    const streams = await hub.subscribeAtEach('topic=a')
    for (let i = 0; i < 10; i++) assert.ok(await hub.publish({ topic: 'a', data: String(i) }))
    for (const { stream } of streams) await stream.take(10)
    const read = async () => (await hub.readAtEach('/metrics')).map(text => figuresOf(text))
    const connected = hub.process.messages.filter(msg => msg === 'new subscriber').length
    for (const figures of await read()) {
      assert.equal(figures.get('mercure_updates_total'), 10)
      assert.equal(figures.get('talaria_deliveries_total'), 20)
      assert.equal(figures.get('mercure_subscribers_total'), connected)
    }
    process.kill(streams[0]!.pid, 'SIGKILL')
    await hub.logged(({ msg }) => msg === `worker ${streams[0]!.worker} is back`)
    for (const figures of await read()) {
      assert.equal(figures.get('mercure_updates_total'), 10)
      assert.equal(figures.get('talaria_deliveries_total'), 20)
      assert.equal(figures.get('mercure_subscribers_connected'), 1)
    }
  })

  test('histograms are added up, what all know of the same is shown once, and readiness is that of the least', async () => {
    const lines = 'metrics_enabled: true\nmetrics_addr: ""\nsubscriptions: true'
    await using hub = await WorkersHub.start(lines)
    const streams = await hub.subscribeAtEach('topic=a')
    for (let i = 0; i < 10; i++) assert.ok(await hub.publish({ topic: 'a' }))
    for (const { stream } of streams) await stream.take(10)
    const connected = hub.process.messages.filter(msg => msg === 'new subscriber').length
    // Each of two subscriptions, whose beginning is an update of the log, and the end of those that were too many.
    const kept = 10 + 2 * connected + 2 * (connected - 2)
    const isSettled = (figures: ReadonlyMap<string, number>) =>
      figures.get('talaria_presence_subscriptions') === 4 && figures.get('talaria_recent_updates') === kept
    const read = async () => (await hub.readAtEach('/metrics')).map(figuresOf)
    while (!(await read()).every(isSettled));
    for (const figures of await read()) {
      assert.equal(figures.get('talaria_publish_seconds_count'), 10)
      // Each worker gets every update; those that announce subscriptions match nobody.
      assert.equal(figures.get('talaria_fan_out_subscribers_sum'), 20)
      assert.equal(figures.get('talaria_delivery_last_seconds_count'), 20)
      assert.equal(figures.get('talaria_nodes'), 2)
      assert.equal(figures.get('talaria_presence_subscribers'), 2)
      assert.equal(figures.get('mercure_subscribers_connected'), 2)
      assert.equal(figures.get('talaria_ready'), 1)
      assert.equal(figures.get('talaria_history_updates'), kept)
      assert.equal(figures.get('talaria_waiting_bytes_limit'), 256 << 20)
      assert.ok(figures.get('talaria_start_time_seconds')! <= Date.now() / 1000)
    }
  })

  test('what a worker has counted outlives it, though nobody had asked for it', async () => {
    const lines = 'metrics_enabled: true\nmetrics_addr: ""\nheartbeat_interval: 1s'
    await using hub = await WorkersHub.start(lines, 2, impatient())
    const streams = await hub.subscribeAtEach('topic=a')
    for (let i = 0; i < 10; i++) assert.ok(await hub.publish({ topic: 'a', data: String(i) }))
    for (const { stream } of streams) {
      await stream.take(10)
      // Until the next heartbeat its worker gives several signs of life.
      const { length } = stream.text
      await stream.until(text => /^:$/m.test(text.slice(length)))
    }
    for (const { pid } of streams) process.kill(pid, 'SIGKILL')
    for (const { worker } of streams) await hub.logged(({ msg }) => msg === `worker ${worker} is back`)
    for (const figures of (await hub.readAtEach('/metrics')).map(figuresOf)) {
      assert.equal(figures.get('mercure_updates_total'), 10)
      assert.equal(figures.get('talaria_deliveries_total'), 20)
      assert.equal(figures.get('mercure_subscribers_connected'), 0)
    }
  })

  test('on an address of their own, and healthy and ready wherever it is asked', async () => {
    await using hub = await WorkersHub.start('metrics_enabled: true\nmetrics_addr: 127.0.0.1:0')
    const { metrics } = await hub.logged(({ metrics }) => metrics !== undefined)
    assert.match(await (await fetch(String(metrics))).text(), /^mercure_updates_total 0$/m)
    assert.deepEqual(new Set(await hub.readAtEach('/healthz')), new Set(['ok\n']))
    assert.deepEqual(new Set(await hub.readAtEach('/readyz')), new Set(['ready\n']))
  })
})

suite('figures of processes, of which each has one number', () => {
  const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

  async function start() {
    const figures = new Figures<number>({ own: async () => 1, keep: async numbers => sum(numbers) })
    const connect = async (respond: () => Promise<string> | string): Promise<Link> => {
      const [ours, theirs] = await socketPair()
      const link = new Link(theirs, { maxWaitingBytes: 1 << 20 })
      link.answer('own-figures', async () => Buffer.from(await respond()))
      figures.attach(new Link(ours, { maxWaitingBytes: 1 << 20 }))
      return link
    }
    const asker = await connect(() => '10')
    const total = async () => sum(JSON.parse((await asker.ask('figures')).toString()))
    return { asker, connect, total }
  }

  test('several that end at once are all counted on', async () => {
    const { asker, connect, total } = await start()
    const ending = await Promise.all(
      [100, 1000, 10_000].map(async number => {
        const link = await connect(() => '0')
        link.send('alive', Buffer.from(String(number)))
        return link
      }),
    )
    for (const link of ending) link.end()
    for (const link of ending) await link.closed
    assert.equal(await total(), 11_111)
    assert.equal(await total(), 11_111)
    asker.destroy()
  })

  test('one that ends while others are asked is counted once', async () => {
    const { asker, connect, total } = await start()
    const ending = await connect(() => '100')
    const slow = await connect(async () => {
      ending.end()
      await ending.closed
      return '1000'
    })
    assert.equal(await total(), 1111)
    assert.equal(await total(), 1111)
    for (const link of [asker, slow]) link.destroy()
  })
})

/** The values of figures without labels. */
const figuresOf = (text: string): Map<string, number> =>
  new Map([...text.matchAll(/^(\w+) (\S+)$/gm)].map(([, name = '', value]) => [name, Number(value)]))
