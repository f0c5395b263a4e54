import { isIP } from 'node:net'
import type { Connection } from '@platformatic/kafka'
import { HubError } from '../../src/errors.ts'
import { Failure } from '../backend/failure.ts'
import { inTime } from '../backend/in-time.ts'
import { interpret } from './failure.ts'
import type { Address, Location } from './location.ts'

export type { Connection } from '@platformatic/kafka'

/** The client library. It is used for connections and for the protocol's requests, one by one: who is connected to what, and what became of a request, is known here. */
export type Library = typeof import('@platformatic/kafka')

const connectMs = 3000
const answerMs = 5000
/** What answers later than this does not answer. */
const longestRequestMs = 60_000
/** Requests on their way to a broker at once; it answers one after the other. */
const maxInflights = 100

export async function load(): Promise<Library> {
  try {
    return await import('@platformatic/kafka')
  } catch (error) {
    throw new HubError(
      'configuration_invalid',
      'transport_url, kafka: the package "@platformatic/kafka" is missing; install it with "npm install @platformatic/kafka".',
      { cause: error },
    )
  }
}

/** Connects to a broker, and logs in. @throws Failure */
export async function connectBroker(
  library: Library,
  { tls, credentials }: Location,
  { host, port }: Address,
  signal: AbortSignal,
): Promise<Connection> {
  const connection = new library.Connection('talaria', {
    connectTimeout: connectMs,
    requestTimeout: longestRequestMs,
    maxInflights,
    ...(tls ? { tls: {}, tlsServerName: isIP(host) === 0 } : {}),
    ...(credentials === undefined
      ? {}
      : { sasl: { mechanism: credentials.mechanism, username: credentials.user, password: credentials.password } }),
  })
  const giveUp = () => kill(connection)
  signal.addEventListener('abort', giveUp)
  // Whoever waits for an answer gets the error; nobody may be waiting.
  connection.on('error', () => {})
  try {
    signal.throwIfAborted()
    await connection.connect(host, port)
    return connection
  } catch (error) {
    kill(connection)
    throw interpret(error)
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

export function kill(connection: Connection): void {
  // There is none before it connects.
  const socket = connection.socket as Connection['socket'] | undefined
  socket?.destroy()
}

/** A broker that does not answer is given up, and the connection with it. */
export async function answered<Answer>(
  connection: Connection,
  answer: Promise<Answer>,
  timeoutMs = answerMs,
): Promise<Answer> {
  return await inTime(answer, timeoutMs, () => {
    kill(connection)
    return new Failure('broken', `it has not answered for ${timeoutMs / 1000} s`, unanswered)
  })
}

/** What the failure of a broker is called that is there, and silent. */
export const unanswered = 'UNANSWERED'
