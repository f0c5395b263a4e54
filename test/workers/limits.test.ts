import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { bearer } from '../support/subscriptions.ts'
import { signToken } from '../support/token.ts'
import { type WorkerStream, WorkersHub } from '../support/workers.ts'

suite('limits of a hub of several workers', () => {
  test('are those of the node: its workers count together, and what a worker had is given back when it dies', async () => {
    await using hub = await WorkersHub.start('limits: {connections: 6, connections_per_subject: 4}')
    const ann = { headers: bearer(await signToken({ sub: 'ann' })) }
    const streams = await openAll(hub, ann)
    assert.equal(streams.length, 4)
    await assertRefused(hub, ann, 429, 'connections_of_subject_too_many')
    streams.push(...(await openAll(hub)))
    assert.equal(streams.length, 6)
    await assertRefused(hub, {}, 503, 'connections_too_many')
    assert.equal(new Set(streams.map(({ worker }) => worker)).size, 2)

    const { worker, pid } = streams[0]!
    process.kill(pid, 'SIGKILL')
    await hub.logged(({ msg }) => msg === `worker ${worker} is back`)
    const lost = streams.filter(stream => stream.pid === pid).length
    const again = await openAll(hub)
    assert.equal(again.length, lost)
    await assertRefused(hub, {}, 503, 'connections_too_many')
  })

  test('of publishing, too, whichever worker a publisher comes to', async () => {
    await using hub = await WorkersHub.start('limits: {publishes_per_second_per_subject: 1}')
    const publish = async (sub: string): Promise<Response> =>
      await fetch(hub.hubUrl, {
        method: 'POST',
        headers: { ...bearer(await signToken({ sub, mercure: { publish: ['*'] } })), Connection: 'close' },
        body: new URLSearchParams({ topic: 'a' }),
      })
    let refused: Response | undefined
    while (refused === undefined) {
      const answers = await Promise.all(Array.from({ length: 8 }, () => publish('ann')))
      refused = answers.find(({ status }) => status !== 200)
    }
    assert.equal(refused.status, 429)
    assert.match(await refused.text(), /^publishes_of_subject_too_many: /)
    assert.equal(refused.headers.get('Retry-After'), '1')
    assert.equal((await publish('bob')).status, 200)
  })
})

/** Opens streams until one is refused. */
async function openAll(hub: WorkersHub, init: RequestInit = {}): Promise<WorkerStream[]> {
  const opened: WorkerStream[] = []
  for (;;) {
    const stream = await hub.subscribe('topic=a', init).catch(error => {
      assert.match(error.message, /^(429|503): connections_/)
    })
    if (stream === undefined) return opened
    opened.push(stream)
  }
}

async function assertRefused(hub: WorkersHub, init: RequestInit, status: number, code: string): Promise<void> {
  const answer = await fetch(`${hub.hubUrl}?topic=a`, init)
  assert.equal(answer.status, status)
  assert.ok((await answer.text()).startsWith(`${code}: `))
  const seconds = Number(answer.headers.get('Retry-After'))
  assert.ok(seconds >= 5 && seconds <= 30, `${seconds}`)
}
