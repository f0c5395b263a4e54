import { backends as testBackends } from '../support/backends.ts'

/** A backend under measurement: a real server on this machine, with the settings that a user would give it for keeping updates. */
export interface Backend {
  /** The scheme of its URLs, and the name of its rows. */
  readonly name: string
  /** What a 200 is worth with these settings. */
  readonly durability: string
  /** What is aimed at on a machine with two cores that has hubs, backend and clients. */
  readonly aims: {
    /** Per second, by 32 publishers, where the floor takes what it took when targets were set. */
    readonly publishes: number
    /** To another node, which 99 % keep, in milliseconds. */
    readonly latencyMs: number
  }
  /** Starts a server of its own, thrown away at the end; a string: the reason why there is none here. */
  start(): Promise<RunningBackend | string>
}

export interface RunningBackend extends AsyncDisposable {
  /** The `transport_url` of the log of this name, which may have letters and digits. */
  url(log: string): URL
}

export const backends: readonly Backend[] = [
  redis('everysec', 'on disk within a second'),
  redis('always', 'on disk'),
  {
    name: 'postgres',
    durability: 'fsync and synchronous_commit on: on disk',
    aims: { publishes: 8000, latencyMs: 20 },
    start: startPostgres,
  },
  asInTests('kafka', 'acks from all of one broker: in its page cache', { publishes: 10_000, latencyMs: 50 }),
  asInTests('pulsar', 'acks from one bookie: in its page cache', { publishes: 5000, latencyMs: 50 }),
]

/** As tests have it: its settings are those with which it comes. */
function asInTests(name: string, durability: string, aims: Backend['aims']): Backend {
  return {
    ...{ name, durability, aims },
    async start() {
      const backend = await testBackends[name]!()
      return backend.skipped || (await backend.open())
    },
  }
}

function redis(appendfsync: string, meaning: string): Backend {
  return {
    name: 'redis',
    durability: `appendfsync ${appendfsync}: ${meaning}`,
    aims: { publishes: 15_000, latencyMs: 20 },
    async start() {
      const { noRedisProgram, RedisServer } = await import('../support/services/redis.ts')
      if (noRedisProgram) return noRedisProgram
      const server = await RedisServer.start('--appendonly', 'yes', '--appendfsync', appendfsync)
      return {
        url: log => new URL(`/${log}`, server.url),
        [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
      }
    },
  }
}

async function startPostgres(): Promise<RunningBackend | string> {
  const { noPostgresProgram, PostgresServer } = await import('../support/services/postgres.ts')
  if (noPostgresProgram) return noPostgresProgram
  // As PostgreSQL is without further ado.
  const settings = ['fsync=on', 'synchronous_commit=on', 'full_page_writes=on', 'shared_buffers=128MB']
  const server = await PostgresServer.start({ settings })
  return {
    url(log) {
      const { url } = server
      url.searchParams.set('schema', log)
      return url
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
