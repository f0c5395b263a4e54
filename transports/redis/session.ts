import type * as backend from '../backend/connection.ts'
import { type Client, connect } from './client.ts'
import type { Location } from './location.ts'

/** A client from its first answer to its end. */
export class Session implements backend.Session {
  readonly client: Client
  readonly ended: Promise<void>

  constructor(client: Client) {
    this.client = client
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ended = promise
    client.once('end', resolve)
    if (client.status === 'end') resolve()
  }

  get isOver(): boolean {
    return this.client.status !== 'ready'
  }

  /** What was asked before may still be answered, or not. */
  async end(): Promise<void> {
    this.kill()
    await this.ended
  }

  kill(): void {
    this.client.disconnect()
  }
}

/** Connects, and finds out with `check` whether the server is of use. @throws Failure, HubError `configuration_invalid` */
export async function openSession(
  location: Location,
  signal: AbortSignal,
  check: (client: Client) => Promise<unknown>,
): Promise<Session> {
  const client = await connect(location, signal)
  const giveUp = () => client.disconnect()
  signal.addEventListener('abort', giveUp)
  try {
    await check(client)
    return new Session(client)
  } catch (error) {
    client.disconnect()
    throw error
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}
