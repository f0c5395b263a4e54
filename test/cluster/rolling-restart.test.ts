import { suite, test } from 'node:test'
import { redis } from '../support/services/redis-backend.ts'
import { rollingRestart } from './scenarios/rolling-restart.ts'

suite('a rolling restart', { skip: redis.skipped }, () => {
  test('of three nodes with 1,000 clients: nothing is lost or repeated, nobody is refused, they come back a few at a time', async t => {
    await using server = await redis.open()
    const { restarts } = await rollingRestart(server, { clients: 1000, shutdownTimeout: '2500ms' })
    for (const { streams, tookMs, endsPerSecond, returnsPerSecond } of restarts) {
      t.diagnostic(
        `${streams} streams in ${Math.round(tookMs)} ms; in a second at most ${endsPerSecond} ends, ${returnsPerSecond} returns`,
      )
    }
  })
})
