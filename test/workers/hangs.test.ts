import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { impatient, type WorkerStream, WorkersHub } from '../support/workers.ts'

/** A signal after which a process never gets to anything else. */
const loops = `process.on('SIGUSR2', () => { for (;;); })`

const killed = (worker: number) =>
  new RegExp(`^worker ${worker} has given no sign of life for [\\d.]+ s: it hangs, and is killed$`)

suite('workers that hang', { concurrency: 2 }, () => {
  for (const [state, signal] of [
    ['is stopped', 'SIGSTOP'],
    ['runs in a loop without end', 'SIGUSR2'],
  ] as const) {
    test(`one that ${state} is killed and replaced, though nothing is published; the others stay`, async () => {
      await using hub = await WorkersHub.start('', 2, impatient(loops))
      const [victim, witness] = await hub.subscribeAtEach('topic=a')
      process.kill(victim!.pid, signal)
      await victim!.stream.end()
      const { pid } = await hub.logged(({ msg }) => killed(victim!.worker).test(String(msg)))
      assert.equal(pid, victim!.pid)
      await hub.logged(({ msg }) => msg === `worker ${victim!.worker} is back`)
      const id = await hub.publish({ topic: 'a' })
      assert.equal((await witness!.stream.take())[0]?.id, id)
      assert.deepEqual(
        hub.process.messages.filter(msg => String(msg).includes('has ended')),
        [`worker ${victim!.worker} has ended (SIGKILL): it is replaced`],
      )
    })
  }

  test('one that hangs holds up the end for the time that tells it from others, and is named', async () => {
    await using hub = await WorkersHub.start('', 2, impatient())
    const { worker, pid } = await hub.subscribe('topic=a')
    process.kill(pid, 'SIGSTOP')
    hub.process.signal('SIGTERM')
    assert.equal(await hub.process.exit(), 0)
    assert.ok(
      hub.process.messages.some(msg => killed(worker).test(String(msg))),
      hub.process.stdout,
    )
    assert.equal(hub.process.messages.at(-1), 'stopped')
  })

  test('one that lives, and does not end, is killed after the shutdown timeout, and named', async () => {
    const stays = `import { Server } from 'node:http'; Server.prototype.close = () => {}`
    await using hub = await WorkersHub.start('shutdown_timeout: 100ms', 2, impatient(stays))
    await hub.subscribeAtEach('topic=a')
    hub.process.signal('SIGTERM')
    assert.equal(await hub.process.exit(), 0)
    const named = hub.process.messages.filter(msg => String(msg).includes('killed'))
    assert.deepEqual(
      named.sort(),
      [1, 2].map(worker => `worker ${worker} has not ended within 2.1 s, and is killed`),
    )
  })

  test('none is killed when it was the primary process that was suspended', async () => {
    await using hub = await WorkersHub.start('heartbeat_interval: 1s', 2, impatient())
    const streams = await hub.subscribeAtEach('topic=a')
    hub.process.signal('SIGSTOP')
    // More seconds than a silent worker has.
    await beats(streams[0]!.stream, 5)
    hub.process.signal('SIGCONT')
    const id = await hub.publish({ topic: 'a' })
    for (const { stream } of streams) {
      assert.equal((await stream.take())[0]?.id, id)
      await beats(stream, 1)
    }
    hub.process.signal('SIGTERM')
    assert.equal(await hub.process.exit(), 0)
    assert.deepEqual(
      hub.process.log.filter(({ level }) => Number(level) > 30),
      [],
    )
  })
})

/** Resolves after so many more heartbeats. */
async function beats(stream: WorkerStream['stream'], count: number): Promise<void> {
  const heard = stream.text.length
  await stream.until(text => text.slice(heard).split(/^:$/m).length > count)
}
