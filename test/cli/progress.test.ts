import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { Progress } from '../../src/cli/progress.ts'

/** A terminal, or not, and a clock that the test sets. */
function createProgress({ isTTY }: { isTTY: boolean }) {
  const output = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY })
  const clock = { ms: 0 }
  return { clock, progress: new Progress(output, () => clock.ms), read: () => output.read() as string | null }
}

test('a terminal gets a bar, drawn again from time to time and then taken away', () => {
  const { clock, progress, read } = createProgress({ isTTY: true })
  clock.ms = 249
  progress.report(1, 1000)
  assert.equal(read(), null)
  clock.ms = 250
  progress.report(1234, 2468)
  assert.equal(read(), '\r[############------------] 50 %  1,234 updates\x1b[K')
  clock.ms = 499
  progress.report(1300, 2468)
  assert.equal(read(), null)
  clock.ms = 500
  progress.report(5000, 2468)
  assert.equal(read(), `\r[${'#'.repeat(24)}] 100 %  5,000 updates\x1b[K`)
  progress.end()
  assert.equal(read(), '\r\x1b[K')
  progress.end()
  assert.equal(read(), null)
})

test('the bar may count something else than updates, of which there may be one', () => {
  const { clock, progress, read } = createProgress({ isTTY: true })
  clock.ms = 250
  progress.report(1, 400, 100)
  assert.equal(read(), '\r[######------------------] 25 %  1 update\x1b[K')
})

test('without a total it counts', () => {
  const { clock, progress, read } = createProgress({ isTTY: true })
  clock.ms = 250
  progress.report(7, undefined)
  assert.equal(read(), '\r7 updates\x1b[K')
  clock.ms = 500
  progress.report(7, 0)
  assert.equal(read(), '\r7 updates\x1b[K')
})

test('short work and anything but a terminal see nothing of it', () => {
  const short = createProgress({ isTTY: true })
  short.progress.report(1, 1)
  short.progress.end()
  assert.equal(short.read(), null)
  const piped = createProgress({ isTTY: false })
  piped.clock.ms = 10_000
  piped.progress.report(1, 1)
  piped.progress.end()
  assert.equal(piped.read(), null)
})

test('a line of text is asked for only when it is drawn', () => {
  const { clock, progress, read } = createProgress({ isTTY: true })
  progress.show(() => assert.fail('asked'))
  clock.ms = 250
  progress.show(() => '10 streams')
  assert.equal(read(), '\r10 streams\x1b[K')
  progress.end()
  assert.equal(read(), '\r\x1b[K')
})
