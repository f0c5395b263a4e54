import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchange } from '../support/connection.ts'
import { signToken } from '../support/token.ts'
import { WorkersHub } from '../support/workers.ts'

const secret = 'a-secret-for-operators-of-tests-alone'

test('what one worker is told to revoke, all revoke, and one that replaces another does, too', async () => {
  await using hub = await WorkersHub.start(`admin_addr: 127.0.0.1:0\nadmin_secret: ${secret}\nsubscriptions: true`)
  const { admin } = await hub.logged(({ msg }) => msg === `listening on ${hub.url}`)
  const tokenOf = (sub: string) => signToken({ sub, mercure: { subscribe: ['*'] } })
  const [ada, bob] = [await tokenOf('ada'), await tokenOf('bob')]
  const withToken = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } })
  const [adas, bobs] = [
    await hub.subscribeAtEach('topic=a', withToken(ada)),
    await hub.subscribeAtEach('topic=a', withToken(bob)),
  ]

  /** Each time over a connection of its own: the workers take turns. */
  const ask = async (path: string, url: string, bearer: string, body?: string) => {
    const head = [
      `${body === undefined ? 'GET' : 'POST'} ${path} HTTP/1.1`,
      `Host: ${new URL(url).host}`,
      `Authorization: Bearer ${bearer}`,
      ...(body === undefined ? [] : ['Content-Type: application/json', `Content-Length: ${body.length}`]),
      'Connection: close',
    ]
    return await exchange(url, `${head.join('\r\n')}\r\n\r\n${body ?? ''}`)
  }
  const statusesOf = async (token: string) => {
    const statuses = new Set<number>()
    for (let i = 0; i < 4; i++) {
      statuses.add((await ask('/.well-known/mercure/subscriptions', hub.url, token)).status)
    }
    return [...statuses]
  }

  const { status, body } = await ask('/revocations', String(admin), secret, '{"subject":"ada"}')
  assert.equal(status, 200, body)
  await Promise.all(adas.map(({ stream }) => stream.end()))
  assert.deepEqual(await statusesOf(ada), [401])
  assert.deepEqual(await statusesOf(bob), [200])
  await hub.publish({ topic: 'a', data: 'for bob' })
  for (const { stream } of bobs) assert.equal((await stream.take())[0]!.data, 'for bob')
  const lists = new Set<string>()
  for (let i = 0; i < 4; i++) lists.add((await ask('/revocations', String(admin), secret)).body)
  assert.equal(lists.size, 1)

  const [killed] = bobs
  process.kill(killed!.pid, 'SIGKILL')
  await hub.logged(({ msg }) => msg === `worker ${killed!.worker} is back`)
  assert.deepEqual(await statusesOf(ada), [401])
  assert.deepEqual(await statusesOf(bob), [200])

  // Nobody is left who could tell the new ones.
  const pids = new Set(hub.process.log.filter(({ worker }) => worker !== undefined).map(({ pid }) => Number(pid)))
  pids.delete(killed!.pid)
  const isBack = ({ msg }: Record<string, unknown>) => /^worker \d is back$/.test(String(msg))
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  await hub.process.until(() => hub.process.log.filter(isBack).length === 1 + pids.size)
  assert.equal(pids.size, 2)
  assert.deepEqual(await statusesOf(ada), [401])
  assert.deepEqual(await statusesOf(bob), [200])
})
