import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { WorkersHub, withHook } from '../support/workers.ts'

suite('workers that end', { concurrency: 3 }, () => {
  test('one that ends at once, again and again, is replaced more and more slowly, until it lives', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'talaria-flag-'))
    const flag = join(directory, 'flag')
    const command = withHook(
      `import cluster from 'node:cluster'; import { existsSync } from 'node:fs'
       if (cluster.isWorker && existsSync(${JSON.stringify(flag)})) process.exit(7)`,
    )
    await using hub = await WorkersHub.start('', 2, command)
    const [victim, witness] = await hub.subscribeAtEach('topic=a')
    await writeFile(flag, '')
    process.kill(victim!.pid, 'SIGKILL')
    const deaths = () =>
      hub.process.log.filter(({ msg }) => String(msg).startsWith(`worker ${victim!.worker} has ended`))
    await hub.process.until(() => deaths().length >= 4)
    await rm(directory, { recursive: true })
    await hub.logged(({ msg }) => msg === `worker ${victim!.worker} is back`)
    const [first, ...others] = deaths()
    assert.match(String(first!.msg), /SIGKILL/)
    for (const { msg } of others) assert.match(String(msg), /exit code 7/)
    assert.deepEqual(
      deaths()
        .slice(0, 4)
        .map(({ msg }) => /it is replaced(.*)$/.exec(String(msg))?.[1]),
      ['', ' in 0.1 s', ' in 0.2 s', ' in 0.4 s'],
    )
    const id = await hub.publish({ topic: 'a' })
    assert.equal((await witness!.stream.take())[0]?.id, id)
  })

  test('a defect is in the log as fatal, with its stack and the number of the worker, which is replaced', async () => {
    const command = withHook(`process.on('SIGUSR2', () => { throw new Error('a defect') })`)
    await using hub = await WorkersHub.start('', 2, command)
    const { worker, pid } = await hub.subscribe('topic=a')
    process.kill(pid, 'SIGUSR2')
    await hub.logged(({ msg }) => msg === `worker ${worker} is back`)
    const { err, ...line } = await hub.logged(({ level }) => level === 60)
    const { message, stack } = err as { message: string; stack: string }
    assert.deepEqual([line.worker, line.pid, message], [worker, pid, 'a defect'])
    assert.match(stack, /\n {4}at /)
    assert.match(hub.process.stderr, /a defect/)
  })

  test('long lines of several workers are whole, and have their number', async () => {
    await using hub = await WorkersHub.start('debug: true')
    await hub.subscribeAtEach('topic=a')
    const data = 'é'.repeat(50_000)
    await Promise.all(Array.from({ length: 40 }, () => hub.publish({ topic: 'a', data })))
    const published = () => hub.process.log.filter(({ msg }) => msg === 'update published')
    await hub.process.until(() => published().length === 40)
    for (const { update } of published()) assert.equal((update as { data: string }).data, data)
    assert.deepEqual([...new Set(published().map(({ worker }) => worker))].sort(), [1, 2])
  })
})
