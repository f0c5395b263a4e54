import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { suite, test } from 'node:test'
import { HubProcess } from '../support/process.ts'
import { testKey } from '../support/token.ts'
import { WorkersHub, withHook } from '../support/workers.ts'

const config = `addr: 127.0.0.1:0\njwt_key: ${testKey}\nallow_anonymous: true\n`

suite('several workers that cannot start: one sentence, and 1, as with one process', { concurrency: 3 }, () => {
  test('the port is taken', async () => {
    await using hub = await WorkersHub.start()
    const { host } = new URL(hub.url)
    await using second = await HubProcess.start({ config: `${config.replace('127.0.0.1:0', host)}workers: 3` })
    assert.equal(await second.exit(), 1)
    assert.equal(second.stderr, `addr: cannot listen on ${host}: another process listens there.\n`)
    assert.doesNotMatch(second.stdout, /listening/)
    assert.ok(await hub.publish({ topic: 'a' }))
  })

  test('the port of the figures is taken', async () => {
    await using hub = await WorkersHub.start()
    const { host } = new URL(hub.url)
    const lines = `workers: 2\nmetrics_enabled: true\nmetrics_addr: ${host}`
    await using second = await HubProcess.start({ config: `${config}${lines}` })
    assert.equal(await second.exit(), 1)
    assert.equal(second.stderr, `metrics_addr: cannot listen on ${host}: another process listens there.\n`)
  })

  test('the log cannot be opened', async () => {
    await using hub = await HubProcess.start({
      config: `${config}workers: 2\ntransport_url: bolt://mercure.yaml`,
    })
    assert.equal(await hub.exit(), 1)
    assert.match(hub.stderr, /^.*mercure\.yaml.*\n$/)
  })

  test('workers end before they listen', async () => {
    // A program that ends as soon as it is a worker.
    const command = withHook(`import cluster from 'node:cluster'; if (cluster.isWorker) process.exit(7)`)
    await using hub = await HubProcess.start({ command, config: `${config}workers: 2` })
    assert.equal(await hub.exit(), 1)
    assert.equal(hub.stderr, 'workers: process 1 ended before it listened (exit code 7); what it wrote stands above.\n')
  })
})

test('nobody listens before all can: the first clients are not the first worker’s alone', async () => {
  const command = withHook(
    `import cluster from 'node:cluster'; import { Server } from 'node:net'
     const say = msg => console.log(JSON.stringify({ msg, worker: cluster.worker.id }))
     if (cluster.isWorker) {
       const { listen } = Server.prototype
       Server.prototype.listen = function (...args) { say('listens'); return listen.apply(this, args) }
       // The second one is slow.
       if (cluster.worker.id === 2) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000)
       say('begins')
     }`,
  )
  await using hub = await WorkersHub.start('', 3, command)
  const steps = hub.process.log.filter(({ msg }) => msg === 'begins' || msg === 'listens')
  assert.deepEqual(
    steps.map(({ msg }) => msg),
    [...Array(3).fill('begins'), ...Array(3).fill('listens')],
  )
  assert.equal(steps[3]!.worker, 1)
})

test('workers: a number that is none is refused', async () => {
  for (const [value, says] of [
    ['0', '"0" is neither auto nor a number of processes from 1 to 128.'],
    ['many', '"many" is neither auto nor a number of processes from 1 to 128.'],
  ]) {
    await using hub = await HubProcess.start({ config: `${config}workers: ${value}` })
    assert.equal(await hub.exit(), 1)
    assert.ok(hub.stderr.includes(`workers (mercure.yaml:4): ${says}`), hub.stderr)
  }
})

test('workers: auto is one for each processor, or one process where there is but one', async () => {
  await using hub = await HubProcess.start({ config: `${config}workers: auto\nlog_format: JSON` })
  await hub.url()
  const line = hub.log.find(({ msg }) => String(msg).startsWith('listening on'))
  assert.equal(line?.workers ?? 1, availableParallelism())
})
