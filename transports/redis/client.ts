import type { Cluster, Redis, RedisOptions } from 'ioredis'
import { HubError } from '../../src/errors.ts'
import { Failure } from './failure.ts'
import type { Location } from './location.ts'

/** A connection to a server, or the connections to a cluster. */
export type Client = Redis | Cluster

const connectMs = 10_000

/**
 * Connects once. The client neither connects again nor sends a command twice: whoever uses it knows what became of a command, and
 * asks for another client when this one has ended.
 * @throws Failure
 */
export async function connect(location: Location): Promise<Client> {
  const client = await create(location)
  let reported: unknown
  client.on('error', error => {
    reported = error
  })
  try {
    const ended = Promise.withResolvers<never>()
    // A cluster that is not whole ends so, and leaves `connect` without an answer.
    client.once('end', () => ended.reject(new Failure('broken', 'it cannot be used now')))
    const late = () => new Failure('broken', `no connection within ${connectMs / 1000} s`)
    await inTime(Promise.race([client.connect(), ended.promise]), connectMs, late)
    // The library would go on in database 0.
    if (location.database !== 0) await client.select(location.database)
    return client
  } catch (error) {
    client.disconnect()
    throw Failure.of(error instanceof Error && error.name === 'ReplyError' ? error : (reported ?? error))
  }
}

async function create(location: Location): Promise<Client> {
  const { Redis, Cluster } = await load()
  const { addresses, sentinel, tls, database, isCluster } = location
  const shared = {
    // What is common to all servers since 6.2, and to what passes for one.
    protocol: 2,
    connectionName: 'talaria',
    connectTimeout: 5000,
    disconnectTimeout: 1000,
    keepAlive: 10_000,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: null,
    ...given('username', location.user),
    ...given('password', location.password),
    ...(tls ? { tls: {} } : {}),
  } satisfies RedisOptions
  if (isCluster) {
    return new Cluster([...addresses], {
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: null,
      // A command that was cut off may have been done.
      retryDelayOnFailover: 0,
      slotsRefreshTimeout: 3000,
      redisOptions: shared,
    })
  }
  if (sentinel !== undefined) {
    return new Redis({
      ...shared,
      lazyConnect: true,
      db: database,
      sentinels: [...addresses],
      name: sentinel.master,
      ...given('sentinelUsername', sentinel.user),
      ...given('sentinelPassword', sentinel.password),
      ...(tls ? { sentinelTLS: {}, enableTLSForSentinelMode: true } : {}),
      sentinelRetryStrategy: () => null,
    })
  }
  return new Redis({ ...shared, ...addresses[0]!, lazyConnect: true, db: database })
}

const given = <Name extends string>(name: Name, value: string | undefined): Partial<Record<Name, string>> =>
  value === undefined ? {} : ({ [name]: value } as Record<Name, string>)

async function load(): Promise<Pick<typeof import('ioredis'), 'Redis' | 'Cluster'>> {
  try {
    return await import('ioredis')
  } catch (error) {
    throw new HubError(
      'configuration_invalid',
      'transport_url, redis: the package "ioredis" is missing; install it with "npm install ioredis".',
      { cause: error },
    )
  }
}

/**
 * What the server answers. One that does not is given up, and the client with it.
 * @throws Failure
 */
export function answered<Answer>(client: Client, answer: Promise<Answer>, timeoutMs: number): Promise<Answer> {
  return inTime(answer, timeoutMs, () => {
    client.disconnect()
    return new Failure('broken', `it has not answered for ${timeoutMs / 1000} s`)
  })
}

/** 0: however long it takes. @throws Failure; what `late` gives when the time is over */
export async function inTime<Answer>(answer: Promise<Answer>, timeoutMs: number, late: () => Error): Promise<Answer> {
  const over = Promise.withResolvers<never>()
  const timer = timeoutMs === 0 ? undefined : setTimeout(() => over.reject(late()), timeoutMs)
  try {
    return await Promise.race([answer, over.promise])
  } catch (error) {
    throw error instanceof HubError ? error : Failure.of(error)
  } finally {
    clearTimeout(timer)
    answer.catch(() => {})
  }
}
