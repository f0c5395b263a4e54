import type { Cluster, Redis, RedisOptions } from 'ioredis'
import { HubError } from '../../src/errors.ts'
import { Failure } from '../backend/failure.ts'
import { inTime } from '../backend/in-time.ts'
import { answersPlainly, speaksTls } from '../backend/probe.ts'
import { interpret, nameless, noTls, onlyTls } from './failure.ts'
import type { Location } from './location.ts'

/** A connection to a server, or the connections to a cluster. */
export type Client = Redis | Cluster

const connectMs = 10_000

/**
 * Connects once. The client neither connects again nor sends a command twice: whoever uses it knows what became of a command, and
 * asks for another client when this one has ended. Gives up when aborted.
 * @throws Failure
 */
export async function connect(location: Location, signal?: AbortSignal): Promise<Client> {
  const client = await create(location)
  const ended = Promise.withResolvers<never>()
  const giveUp = () => ended.reject(new Failure('broken', 'the hub is shutting down'))
  let reported: unknown
  client.on('error', error => {
    reported = error
  })
  try {
    // A cluster that is not whole ends so, and leaves `connect` without an answer.
    client.once('end', () => ended.reject(new Failure('broken', 'it cannot be used now')))
    signal?.addEventListener('abort', giveUp)
    if (signal?.aborted) giveUp()
    const late = () => new Failure('broken', `no connection within ${connectMs / 1000} s`)
    await inTime(Promise.race([client.connect(), ended.promise]), connectMs, late)
    // The library would go on in database 0.
    if (location.database !== 0) await client.select(location.database)
    return client
  } catch (error) {
    client.disconnect()
    const failure = interpret(error instanceof Error && error.name === 'ReplyError' ? error : (reported ?? error))
    throw (signal?.aborted ? undefined : await findReason(location, failure)) ?? failure
  } finally {
    signal?.removeEventListener('abort', giveUp)
  }
}

/** What is behind a failure that tells nothing of it. */
async function findReason(location: Location, { meaning, code }: Failure): Promise<Failure | undefined> {
  if (meaning !== 'broken' || noServer.has(code ?? '')) return undefined
  return (await findMismatch(location)) ?? (location.isCluster ? await findNameless(location) : undefined)
}

/** Where one side speaks TLS and the other does not, both wait, or the connection is cut: that is all that is seen of it. */
async function findMismatch({ addresses, tls }: Location): Promise<Failure | undefined> {
  const address = addresses[0]!
  if (tls) return (await answersPlainly(address, 'PING\r\n', /^[+-]/)) ? noTls() : undefined
  return (await speaksTls(address)) ? onlyTls() : undefined
}

/** The library passes over nodes of a cluster that do not say where they are. */
async function findNameless(location: Location): Promise<Failure | undefined> {
  const { addresses } = location
  const node = await create({ ...location, addresses: addresses.slice(0, 1), isCluster: false })
  node.on('error', () => {})
  try {
    const asked = node.connect().then(() => node.call('CLUSTER', 'SLOTS'))
    const slots = await inTime(asked, 1000, () => new Error('no answer'))
    return hasNameless(slots) ? nameless() : undefined
  } catch {
    return undefined
  } finally {
    node.disconnect()
  }
}

/** Of each range of slots: the first, the last, and the nodes, each with its host first. */
const hasNameless = (slots: unknown): boolean =>
  (slots as [number, number, ...[host: string | null][]][]).some(([, , ...nodes]) =>
    nodes.some(([host]) => host === null || host === '' || host === '?'),
  )

const noServer = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

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
    return quietly(
      new Redis({
        ...shared,
        lazyConnect: true,
        db: database,
        sentinels: [...addresses],
        name: sentinel.master,
        ...given('sentinelUsername', sentinel.user),
        ...given('sentinelPassword', sentinel.password),
        ...(tls ? { sentinelTLS: {}, enableTLSForSentinelMode: true } : {}),
        sentinelRetryStrategy: () => null,
      }),
    )
  }
  return quietly(new Redis({ ...shared, ...addresses[0]!, lazyConnect: true, db: database }))
}

/** A server that wants no password takes any: the library would say so on the console, where the log is not. */
function quietly(client: Redis): Redis {
  const auth: (...args: never[]) => Promise<'OK'> = client.auth.bind(client)
  return Object.assign(client, {
    auth: (...args: never[]) =>
      auth(...args).catch(error => {
        if (/without any password configured|no password is set/.test(error.message)) return 'OK'
        throw error
      }),
  })
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
export async function answered<Answer>(client: Client, answer: Promise<Answer>, timeoutMs: number): Promise<Answer> {
  try {
    return await inTime(answer, timeoutMs, () => {
      client.disconnect()
      return new Failure('broken', `it has not answered for ${timeoutMs / 1000} s`)
    })
  } catch (error) {
    throw interpret(error)
  }
}
