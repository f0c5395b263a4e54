import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { EventStream } from '../support/event-stream.ts'
import { subscriberToken } from '../support/token.ts'
import { WorkersHub } from '../support/workers.ts'

const events = '/.well-known/mercure/subscriptions/{topic}{/subscriber}'

test('every worker lists them all, and events come once', async () => {
  await using hub = await WorkersHub.start('subscriptions: true')
  const headers = { Authorization: `Bearer ${await subscriberToken(['*'])}` }
  const watchers = await hub.subscribeAtEach(`topic=${encodeURIComponent(events)}`, { headers })
  const streams = await hub.subscribeAtEach('topic=a')
  // A worker that has just started is told the others' lists in a moment.
  const isListed = (topic: string, times: number) => (list: string[]) => list.filter(t => t === topic).length === times
  while (!(await hub.listedAtEach()).every(isListed('a', streams.length))) await nextTurn()
  for (const { stream } of watchers) await stream.until(text => countActive(stream, 'a', true) === 2 && text !== '')
  streams[0]!.stream.close()
  for (const { stream } of watchers) await stream.until(() => countActive(stream, 'a', false) >= 1)
  const survivor = streams[1]!
  for (const list of await hub.listedAtEach()) assert.equal(list.filter(topic => topic === 'a').length, 1)

  // The other one goes with its worker.
  const witness = watchers.find(({ worker }) => worker !== survivor.worker)!
  process.kill(survivor.pid, 'SIGKILL')
  await witness.stream.until(() => countActive(witness.stream, 'a', false) >= 2)
  for (const list of await hub.listedAtEach())
    assert.deepEqual(
      list,
      list.filter(topic => topic !== 'a'),
    )
  await hub.logged(({ msg }) => msg === `worker ${survivor.worker} is back`)
  // A replacement that has come later lists the same.
  const after = await hub.subscribe('topic=b')
  while (!(await hub.listedAtEach()).every(isListed('b', 1))) await nextTurn()
  for (const list of await hub.listedAtEach()) assert.ok(!list.includes('a'))
  after.stream.close()
  await witness.stream.until(() => countActive(witness.stream, 'b', false) === 1)
  // Nothing of it was said twice.
  assert.deepEqual([countActive(witness.stream, 'a', true), countActive(witness.stream, 'a', false)], [2, 2])
})

/** How often a stream has announced subscriptions of a topic as active, or as ended. */
const countActive = ({ events }: EventStream, topic: string, active: boolean): number =>
  events.map(({ data }) => JSON.parse(data)).filter(event => event.topic === topic && event.active === active).length
