import type { BackendServer } from '../../support/backends.ts'
import { TestCluster, tokens } from '../../support/cluster.ts'
import { Follower } from '../../support/follower.ts'
import { Publishing } from '../../support/publishing.ts'

const topic = 'https://example.com/lives'
/** Updates that are answered between one thing that happens and the next, at least. */
const some = 300

/**
 * Each node is killed in turn while everybody publishes. Its subscribers go on at another one, after their last event, and one of
 * them comes back when it has been started again: nothing is lost, and nothing comes twice.
 */
export async function nodesDie(server: BackendServer): Promise<void> {
  await using cluster = await TestCluster.start(server.url('node-death'))
  const followers: Follower[] = []
  for (const hub of cluster.hubs) {
    followers.push(await Follower.open(hub, `topic=${topic}`, tokens.subscribe['0.x']))
    followers.push(await Follower.open(hub, `match=${topic}`, tokens.subscribe['1.0']))
  }
  await using publishing = new Publishing(cluster, { topic, publishers: 3 })
  for (const [i, victim] of cluster.hubs.entries()) {
    await publishing.goesOn(some)
    const orphans = followers.filter(({ hub }) => hub === victim)
    await victim.kill()
    for (const [j, orphan] of orphans.entries()) {
      await orphan.end()
      await orphan.moveTo(cluster.hubs[(i + 1 + (j % 2)) % 3]!)
    }
    await publishing.goesOn(some)
    await victim.start()
    await orphans[0]!.moveTo(victim)
  }
  await publishing.goesOn(some)
  await publishing.stop()
  await publishing.assertReceived(followers, cluster.hubs[0])
}
