import { rollingRestart } from '../cluster/scenarios/rolling-restart.ts'
import { redis } from '../support/services/redis-backend.ts'
import { describeMachine } from './machine.ts'
import { whole } from './row.ts'

const clients = 5000

/** Restarts three nodes under a crowd, and prints what each restart was like. @throws AssertionError where anything was lost, repeated or refused */
export async function measureRestart(): Promise<void> {
  if (redis.skipped !== false) {
    console.log(redis.skipped)
    return
  }
  await using server = await redis.open()
  console.log(
    `${describeMachine().split(';')[0]}\nA rolling restart of three nodes, ${whole(clients)} clients, shutdown_timeout 10s.`,
  )
  const { restarts, published, moved } = await rollingRestart(server, { clients, shutdownTimeout: '10s' })
  for (const { streams, tookMs, endsPerSecond, returnsPerSecond } of restarts) {
    console.log(
      `${whole(streams)} streams ended in ${(tookMs / 1000).toFixed(1)} s; in a second at most ${whole(endsPerSecond)}, and ${whole(returnsPerSecond)} came back`,
    )
  }
  console.log(
    `${whole(published)} updates: 0 lost, 0 repeated, 0 refused; ${whole(moved)} went to another node since theirs had gone`,
  )
}
