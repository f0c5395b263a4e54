import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { LogDirectory } from '../../support/bolt.ts'
import { LogProcess } from '../../support/log-process.ts'

const skip = spawnSync('prlimit', ['--version']).status !== 0 && 'there is no prlimit here to limit a file with'
/** Lets files grow to so much, which is what a full disk is to a log. */
const limited = ['prlimit', `--fsize=${2 << 20}:unlimited`] as const
const liftLimit = ({ pid }: LogProcess) => execFileSync('prlimit', ['--pid', String(pid), '--fsize=unlimited'])
const updateOf = (id: string) => ({ id, data: 'x'.repeat(50_000) })

test('a full disk: publishers are refused and the hub is not ready, until there is room again', { skip }, async () => {
  await using directory = await LogDirectory.create()
  const stored: string[] = []
  let printed = () => ''
  {
    await using log = await LogProcess.start(limited, `bolt://${directory.file}`)
    printed = () => log.printed
    const publish = (id: string) => log.ask({ publish: [updateOf(id)] })
    assert.deepEqual(await log.ask('ready'), { delivered: [] })
    let answer = await publish('id-0')
    for (let i = 1; 'delivered' in answer; i++) {
      stored.push(`id-${i - 1}`)
      answer = await publish(`id-${i}`)
    }
    assert.ok(stored.length > 10, `${stored.length} were stored`)
    assert.deepEqual(answer, {
      code: 'transport_unavailable',
      message: 'The update was not stored: this hub cannot write its log now. Publish it again later.',
    })
    assert.deepEqual(await publish('refused at once'), answer)
    const unready = await log.ask('ready')
    assert.ok('code' in unready, 'it is not ready')
    assert.equal(unready.code, 'transport_unavailable')
    assert.match(
      unready.message,
      /^The log .*updates\.db cannot be written \(.+\)\. Left on its disk: \d+(\.\d)? ([KMGT]iB|bytes)\.$/,
    )

    liftLimit(log)
    assert.deepEqual(await log.ask('ready'), { delivered: stored }, 'what was not stored was not delivered')
    for (const id of ['after', 'after that']) {
      stored.push(id)
      assert.deepEqual(await publish(id), { delivered: stored })
    }
  }
  // LMDB itself says a line in places; lmdb-js would add an error with its stack.
  assert.doesNotMatch(printed(), /Error|^ +at /m)
  await using log = await directory.start()
  assert.deepEqual(await log.ids('earliest'), stored)
})

test('a full disk: what is over the bounds makes room', { skip }, async () => {
  await using directory = await LogDirectory.create()
  await using log = await LogProcess.start(limited, `bolt://${directory.file}?size=10&cleanup_frequency=1`)
  for (let i = 0; i < 200; i++) {
    const answer = await log.ask({ publish: [updateOf(`id-${i}`)] })
    assert.ok('delivered' in answer, `publish ${i}: ${JSON.stringify(answer)}`)
  }
})
