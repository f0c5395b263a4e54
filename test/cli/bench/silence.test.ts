import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { exitCodeOf } from '../../../src/cli/bench/report.ts'
import { startHub } from '../../support/hub.ts'
import { bench, runBenchCommand, startStranger } from '../../support/load.ts'

/** Far beyond what the tests may take. */
const endless = { duration: '1h', wait: '1h' }
const isItAHub = /^http:\S+: it accepts connections and does not answer: is it a hub\?.* --wait /

test('what accepts connections and does not answer is given up once, not in every hundred of streams', async () => {
  let connections = 0
  await using stranger = await startStranger(() => connections++)
  for (const subscribers of ['1', '1000', '0']) {
    await assert.rejects(
      // Long enough for a hundred connections on a machine with much else to do.
      bench(`http://${stranger.host}`, { ...endless, subscribers }, { load: { connectPatienceMs: 1000 } }),
      { code: 'transport_unavailable', message: isItAHub },
    )
  }
  assert.equal(connections, 1 + 100 + 1)
})

test('what does not take connections is told from it', async () => {
  // The queue of the operating system has room for a few, and nobody takes them out of it.
  const program = `
    const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      require('node:fs').writeSync(1, String(server.address().port))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    })`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [port] = await once(child.stdout, 'data')
    const filling = Array.from({ length: 10 }, () => connect(Number(port), '127.0.0.1').on('error', () => {}))
    await once(filling[0]!, 'connect')
    for (const subscribers of ['6', '0']) {
      await assert.rejects(
        bench(`http://127.0.0.1:${port}`, { ...endless, subscribers }, { load: { connectPatienceMs: 100 } }),
        { message: /^http:\S+: it does not take connections: is this its address/ },
      )
    }
    for (const socket of filling) socket.destroy()
  } finally {
    child.kill('SIGKILL')
    await once(child, 'close')
  }
})

test('a hub that answers some streams is measured with those', async () => {
  await using hub = await startHub()
  const { hostname, port } = new URL(hub.url)
  let connections = 0
  await using relay = await startStranger(socket => {
    connections++
    // Three streams open, and three others are tried in their place; the publisher comes after them.
    if (connections > 3 && connections <= 103) return
    const onward = connect(Number(port), hostname).on('error', () => {})
    socket.pipe(onward).pipe(socket)
    socket.once('close', () => onward.destroy())
  })
  const load = { connectPatienceMs: 3000 }
  const report = await bench(`http://${relay.host}`, { subscribers: '110', publishers: '1' }, { load })
  assert.deepEqual([report.streams.opened, report.streams.refused], [3, 107])
  assert.deepEqual(report.errors, [
    { what: 'subscribing: no answer', count: 100 },
    { what: 'subscribing: not tried, since others had no answer', count: 7 },
  ])
  assert.ok(report.publishes.stored > 0)
  assert.equal(report.deliveries.received, report.publishes.stored * 3)
  assert.equal(exitCodeOf(report), 2)
})

test('Ctrl-C before anything was measured exits with 1, and says so', async () => {
  for (const subscribers of ['100', '0']) {
    const connected = Promise.withResolvers<void>()
    await using stranger = await startStranger(() => connected.resolve())
    const args = [`http://${stranger.host}`, '--subscribers', subscribers, '--duration', '1h', '--wait', '10ms']
    const { code, stdout, stderr } = await runBenchCommand(args, connected.promise)
    assert.match(stdout, /\n\nInterrupted before anything could be measured\.\n$/)
    assert.deepEqual([code, stderr], [1, ''])
  }
})
