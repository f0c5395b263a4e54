import type { HubError } from '../../src/errors.ts'
import type { Records } from '../../src/transport.ts'
import { Failure } from '../backend/failure.ts'
import { answered, type Client } from './client.ts'
import type { Keys } from './keys.ts'

/** What tells, or takes, the records answers within this time. */
const answerMs = 1000

export interface RecordsOptions {
  readonly keys: Keys
  /** `undefined`: there is no connection. */
  readonly connected: () => Client | undefined
  /** `reason`: a clause. */
  readonly unusable: (reason?: string) => HubError
}

/** The records that hubs keep with their log, in a hash. */
export class RecordHash implements Records {
  readonly #options: RecordsOptions

  constructor(options: RecordsOptions) {
    this.#options = options
  }

  async load(): Promise<ReadonlyMap<string, string>> {
    return new Map(Object.entries(await this.#ask((client, { records }) => client.hgetall(records))))
  }

  async save(key: string, record: string | null): Promise<void> {
    await this.#ask((client, { records }) =>
      record === null ? client.hdel(records, key) : client.hset(records, key, record),
    )
  }

  async #ask<Answer>(ask: (client: Client, keys: Keys) => Promise<Answer>): Promise<Answer> {
    const { keys, connected, unusable } = this.#options
    const client = connected()
    if (client === undefined) throw unusable()
    try {
      return await answered(client, ask(client, keys), answerMs)
    } catch (error) {
      throw unusable(Failure.of(error).message)
    }
  }
}
