import assert from 'node:assert/strict'
import type { BackendServer } from '../../support/backends.ts'
import { type ClusterHub, type TestCluster, tokens } from '../../support/cluster.ts'
import { Follower } from '../../support/follower.ts'
import { type Fate, Publishing } from '../../support/publishing.ts'

export interface Trouble {
  readonly name: string
  readonly begin: (server: BackendServer) => Promise<void> | void
  readonly end: (server: BackendServer) => Promise<void> | void
  /** What publishers are told, sooner or later. */
  readonly fates: readonly Fate[]
}

const refused: readonly Fate[] = ['not stored']
const unavailable: readonly Fate[] = ['not stored', 'unknown']

/** What happens to backends, and to the network before them. */
export const troubles: readonly Trouble[] = [
  {
    name: 'the backend stops, and is started again',
    begin: server => server.stop(),
    end: server => server.start(),
    fates: refused,
  },
  {
    name: 'the backend stands still, and goes on',
    begin: server => server.pause(),
    end: server => server.resume(),
    fates: unavailable,
  },
  {
    name: 'the connections are cut, and none can be made for a while',
    begin({ relay }) {
      relay.refuses = true
      relay.cut()
    },
    end({ relay }) {
      relay.refuses = false
    },
    fates: refused,
  },
  {
    name: 'answers do not come, and then the connections are cut',
    begin: ({ relay }) => relay.holdAnswers(),
    end({ relay }) {
      relay.cut()
      relay.releaseAnswers()
    },
    fates: unavailable,
  },
]

const topic = 'https://example.com/weather'

/** Lines of mercure.yaml for the cluster: a publisher is not to wait for long here. */
export const impatience = 'publish_timeout: 500ms'

/**
 * The backend is away for a while, as long as it takes all nodes to notice. Publishers are told the truth, subscribers keep their streams and
 * get what was stored, and nodes say that they are alive, and whether they are ready.
 */
export async function survive(
  server: BackendServer,
  cluster: TestCluster,
  { begin, end, fates }: Trouble,
): Promise<void> {
  const { hubs } = cluster
  const query = `topic=${encodeURIComponent(topic)}`
  const followers = await Promise.all(hubs.map(hub => Follower.open(hub, query, tokens.subscribe['0.x'])))
  await using publishing = new Publishing(cluster, { topic, publishers: 4 })
  const vigils = hubs.map(hub => keepVigil(hub))
  await publishing.goesOn(100)
  await begin(server)
  await Promise.all(hubs.map(hub => Promise.all([publishing.told(hub, ...fates), hub.isReady(false)])))
  await end(server)
  await Promise.all(hubs.map(hub => Promise.all([publishing.told(hub, 'stored'), hub.isReady(true)])))
  await publishing.goesOn(100)
  await publishing.stop()
  for (const vigil of vigils) assert.deepEqual(await vigil(), [200])
  await publishing.assertReceived(followers, hubs[0])
  for (const follower of followers) follower.close()
}

/** Asks a node whether it lives, all the time; the function ends that, and gives the statuses that came. */
function keepVigil(hub: ClusterHub): () => Promise<number[]> {
  const statuses = new Set<number>()
  let isOver = false
  const watching = (async () => {
    while (!isOver) statuses.add((await hub.get('/healthz')).status)
  })()
  return async () => {
    isOver = true
    await watching
    return [...statuses]
  }
}
