import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { on, once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { LogDirectory } from '../../support/bolt.ts'
import type { Answer, Request } from '../../support/bolt-process.ts'

const program = fileURLToPath(new URL('../../support/bolt-process.ts', import.meta.url))
const limitBytes = 2 << 20

/** A log that the operating system lets grow to a limit, which is what a full disk is to it. */
class LimitedLog implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly #answers: AsyncIterator<Answer[]>

  static async start(url: string): Promise<LimitedLog> {
    const log = new LimitedLog(url)
    await log.#next()
    return log
  }

  private constructor(url: string) {
    // lmdb-js writes every failure to standard error as well.
    const stdio = ['ignore', 'inherit', 'ignore', 'ipc'] as const
    this.#process = spawn('prlimit', [`--fsize=${limitBytes}:unlimited`, process.execPath, program, url], {
      stdio: [...stdio],
    })
    this.#answers = on(this.#process, 'message', { close: ['disconnect'] })
  }

  async ask(request: Request): Promise<Answer> {
    this.#process.send(request)
    return await this.#next()
  }

  async publish(id: string): Promise<Answer> {
    return await this.ask({ publish: { id, bytes: 50_000 } })
  }

  liftLimit(): void {
    execFileSync('prlimit', ['--pid', String(this.#process.pid), '--fsize=unlimited'])
  }

  async #next(): Promise<Answer> {
    const { value, done } = await this.#answers.next()
    assert.notEqual(done, true, 'the process has ended')
    return value[0]!
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#process, 'exit')
    await this.ask('close')
    await exited
  }
}

const skip = spawnSync('prlimit', ['--version']).status !== 0 && 'there is no prlimit here to limit a file with'

test('a full disk: publishers are refused and the hub is not ready, until there is room again', { skip }, async () => {
  await using directory = await LogDirectory.create()
  const stored: string[] = []
  {
    await using log = await LimitedLog.start(`bolt://${directory.file}`)
    assert.deepEqual(await log.ask('ready'), { ok: [] })
    let refusal: Answer | undefined
    for (let i = 0; refusal === undefined; i++) {
      const answer = await log.publish(`id-${i}`)
      if ('ok' in answer) stored.push(`id-${i}`)
      else refusal = answer
    }
    assert.ok(stored.length > 10, `${stored.length} were stored`)
    assert.deepEqual(refusal, {
      code: 'transport_unavailable',
      message: 'The update was not stored: this hub cannot write its log now. Publish it again later.',
    })
    assert.deepEqual(await log.publish('refused at once'), refusal)
    const unready = await log.ask('ready')
    assert.ok('code' in unready && unready.code === 'transport_unavailable')
    assert.match(unready.message, /^The log .*updates\.db cannot be written \(.+\)\. Left on its disk: \d+ bytes\.$/)

    log.liftLimit()
    assert.deepEqual(await log.ask('ready'), { ok: stored }, 'what was not stored was not delivered')
    for (const id of ['after', 'after that']) {
      stored.push(id)
      assert.deepEqual(await log.publish(id), { ok: stored })
    }
  }
  await using log = await directory.start()
  assert.deepEqual(await log.ids('earliest'), stored)
})

test('a full disk: what is over the bounds makes room', { skip }, async () => {
  await using directory = await LogDirectory.create()
  await using log = await LimitedLog.start(`bolt://${directory.file}?size=10&cleanup_frequency=1`)
  for (let i = 0; i < 200; i++) {
    const answer = await log.publish(`id-${i}`)
    assert.ok('ok' in answer, `publish ${i}: ${JSON.stringify(answer)}`)
  }
})
