import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as after, setImmediate as nextTurn } from 'node:timers/promises'
import { Link } from '../../src/workers/link.ts'
import { Vigil } from '../../src/workers/vigil.ts'
import { socketPair } from '../support/log-ends.ts'

const options = { intervalMs: 20, patience: { starting: 1000, serving: 10, ending: 5 } }

test('a process that was held up itself takes nobody for dead, and one that is silent after that is told of once', async () => {
  const [ours, theirs] = await socketPair()
  const link = new Link(ours, { maxWaitingBytes: 1 << 20 })
  const other = new Link(theirs, { maxWaitingBytes: 1 << 20 })
  const heard = new Promise<void>(resolve => link.on('alive', () => resolve()))
  const told: number[] = []
  const silence = new Promise<void>(resolve => {
    new Vigil(link, options, silentMs => {
      told.push(silentMs)
      resolve()
    })
  })
  other.send('alive')
  await heard
  // Its own interval began before this one: it has counted what was heard.
  await after(options.intervalMs)
  other.send('alive')
  await nextTurn()
  // In the turn that comes next timers are due before anything is read.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000)
  await nextTurn()
  await nextTurn()
  assert.deepEqual(told, [])
  await silence
  assert.deepEqual(told, [200])
  other.destroy()
  await link.closed
})
