import { Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { Client, ClientConfig } from 'pg'
import { HubError } from '../../src/errors.ts'
import { Failure } from '../backend/failure.ts'
import { type Requests, watchAuthentication } from './authentication.ts'
import { interpret } from './failure.ts'
import type { Address, Location } from './location.ts'
import { Session } from './session.ts'
import { tablesOf } from './tables.ts'
import { tlsAttempts } from './tls.ts'

/**
 * What sessions rely on, whatever the role's or the database's settings are: each statement sees what is committed when it begins; tables are
 * read by their indexes, even as long as the server takes them for small; compiling costs more than any statement here.
 */
const settings = `
  SET default_transaction_isolation TO 'read committed';
  SET enable_seqscan TO off;
  SET enable_bitmapscan TO off;
  SET jit TO off;
  SET bytea_output TO hex;
  SET client_min_messages TO warning;
  SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'`

const oldestVersion = 13

/**
 * Connects to the first server that can be written, or, with `standby`, to the first one at all; gives up when aborted.
 * @throws Failure, HubError `configuration_invalid`
 */
export async function connect(
  location: Location,
  signal: AbortSignal,
  { standby = false }: { standby?: boolean } = {},
): Promise<Session> {
  const { Client } = await load()
  const attempts = await tlsAttempts(location.tls)
  const failures: Failure[] = []
  for (const address of location.isShuffled ? shuffled(location.addresses) : location.addresses) {
    for (const tls of attempts) {
      try {
        return await open(Client, location, address, { tls, standby }, signal)
      } catch (error) {
        if (error instanceof HubError || signal.aborted) throw error
        const failure = interpret(error)
        failures.push(failure)
        if (!isAboutTls(failure)) break
      }
    }
  }
  // What is wrong with one of several servers may be right with one that is away now.
  throw failures.findLast(({ meaning }) => meaning !== 'misconfigured') ?? failures.at(-1)!
}

/** The other way, with TLS or without, may be the one. */
const isAboutTls = ({ message, code }: Failure): boolean =>
  message.includes('does not support SSL') ||
  message.includes('there is no TLS') ||
  (code === '28000' && message.includes('pg_hba'))

async function open(
  create: new (config: ClientConfig) => Client,
  location: Location,
  { host, port }: Address,
  { tls, standby }: { tls: ConnectionOptions | false; standby: boolean },
  signal: AbortSignal,
): Promise<Session> {
  const { user, password, database, connectTimeoutMs, keepAlive, settings: options } = location
  const socket = new Socket()
  if (keepAlive !== undefined) {
    const { idleMs, intervalMs, count } = keepAlive
    socket.once('connect', () => socket.setKeepAlive(true, idleMs, intervalMs, count))
  }
  const client = new create({
    stream: () => socket,
    connectionTimeoutMillis: connectTimeoutMs,
    enableChannelBinding: location.authentication.channelBinding !== 'disable',
    application_name: location.applicationName,
    ssl: tls,
    ...(location.tls.isDirect ? { sslnegotiation: 'direct' as const } : {}),
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(database === undefined ? {} : { database }),
    ...(options === undefined ? {} : { options }),
    // Answers come as PostgreSQL's texts.
    types: { getTypeParser: () => (text: string) => text } as never,
  })
  client.on('error', () => {})
  const refused = watchAuthentication(client.connection as unknown as Requests, location.authentication)
  const giveUp = () => socket.destroy(new Error('the hub is shutting down'))
  signal.addEventListener('abort', giveUp)
  const timer = setTimeout(() => socket.destroy(new Error('the server has not answered in time')), 2 * connectTimeoutMs)
  try {
    signal.throwIfAborted()
    await client.connect()
    await client.query(settings)
    const facts = await readFacts(client)
    if (facts.isReadOnly && !standby) throw new Failure('passing', 'the server is a standby, or takes no writes')
    check(facts)
    const schema = location.schema ?? facts.schema
    if (schema === null) {
      throw misconfigured('no schema of the search_path exists; name one with the option schema')
    }
    return new Session(client, socket, tablesOf(schema, location.prefix))
  } catch (error) {
    socket.destroy()
    throw refused() ?? error
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', giveUp)
  }
}

interface Facts {
  readonly version: number
  readonly isReadOnly: boolean
  readonly encoding: string
  readonly schema: string | null
}

async function readFacts(client: Client): Promise<Facts> {
  const { rows } = await client.query<string[]>({
    rowMode: 'array',
    text: `SELECT current_setting('server_version_num'), pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
      current_setting('server_encoding'), current_schema()`,
  })
  const [version, isReadOnly, encoding = '', schema = null] = rows[0]!
  return { version: Math.floor(Number(version) / 10_000), isReadOnly: isReadOnly === 't', encoding, schema }
}

/** @throws HubError `configuration_invalid` */
function check({ version, encoding }: Facts): void {
  if (version < oldestVersion) {
    throw misconfigured(`the server is PostgreSQL ${version}; at least ${oldestVersion} is needed`)
  }
  if (encoding !== 'UTF8') {
    throw misconfigured(`the database keeps texts as ${encoding}; make one with ENCODING 'UTF8'`)
  }
}

const misconfigured = (rule: string): HubError =>
  new HubError('configuration_invalid', `transport_url, postgres: ${rule}.`)

const shuffled = (addresses: readonly Address[]): Address[] =>
  addresses
    .map(address => ({ address, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ address }) => address)

async function load(): Promise<typeof import('pg')> {
  try {
    return await import('pg')
  } catch (error) {
    throw new HubError(
      'configuration_invalid',
      'transport_url, postgres: the package "pg" is missing; install it with "npm install pg".',
      { cause: error },
    )
  }
}
