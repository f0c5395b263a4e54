import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { WorkersHub } from '../support/workers.ts'

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

  test('on an address of their own, and healthy and ready wherever it is asked', async () => {
    await using hub = await WorkersHub.start('metrics_enabled: true\nmetrics_addr: 127.0.0.1:0')
    const { metrics } = await hub.logged(({ metrics }) => metrics !== undefined)
    assert.match(await (await fetch(String(metrics))).text(), /^mercure_updates_total 0$/m)
    assert.deepEqual(new Set(await hub.readAtEach('/healthz')), new Set(['ok\n']))
    assert.deepEqual(new Set(await hub.readAtEach('/readyz')), new Set(['ready\n']))
  })
})

/** The values of figures without labels. */
const figuresOf = (text: string): Map<string, number> =>
  new Map([...text.matchAll(/^(\w+) (\S+)$/gm)].map(([, name = '', value]) => [name, Number(value)]))
