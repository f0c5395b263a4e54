import type { Archive, ArchivedUpdate } from '../../src/archive.ts'
import { HubError, quote } from '../../src/errors.ts'
import { checkServer, checkTypes } from './check-server.ts'
import { answered, type Client, connect } from './client.ts'
import { encodeFields } from './entry.ts'
import { findEnd, readPages } from './history.ts'
import { beginning, type Keys, keysOf, timeOf } from './keys.ts'
import type { Location } from './location.ts'
import { insert, run } from './scripts.ts'

const answerMs = 30_000
const silent = { info() {}, warn() {}, error() {} }

/** A log in Redis without a hub; hubs may be writing it. */
export class RedisArchive implements Archive {
  readonly size: number
  readonly #keys: Keys
  readonly #client: Client

  /** @throws Failure; HubError `configuration_invalid` */
  static async open(location: Location, { writable }: { writable: boolean }): Promise<RedisArchive> {
    const keys = keysOf(location.stream)
    const client = await connect(location)
    try {
      if (writable) await checkServer(client, keys, silent)
      else await checkTypes(client, keys)
      const [size, known] = await answered(
        client,
        Promise.all([client.xlen(keys.log), client.exists(keys.count)]),
        answerMs,
      )
      if (known === 0) throw missing(location)
      return new RedisArchive(keys, client, size)
    } catch (error) {
      client.disconnect()
      throw error
    }
  }

  private constructor(keys: Keys, client: Client, size: number) {
    this.#keys = keys
    this.#client = client
    this.size = size
  }

  async *read(): AsyncGenerator<readonly ArchivedUpdate[]> {
    const upTo = await findEnd(this.#client, this.#keys)
    const range = { after: beginning, upTo, mayMiss: true }
    const { signal } = new AbortController()
    for await (const { entries } of readPages(async () => this.#client, this.#keys, range, signal)) {
      yield entries.map(({ update, position }) => ({ update, timeMs: timeOf(position) }))
    }
  }

  async append(updates: readonly ArchivedUpdate[]): Promise<number> {
    const args = updates.flatMap(({ update, timeMs }) => {
      const fields = encodeFields(update)
      const time = timeMs === undefined ? '' : String(timeMs)
      return [String(Buffer.byteLength(update.data)), String(fields.length), ...fields, time]
    })
    const inserted = run(this.#client, insert, this.#keys, ['0', '0', String(updates.length), '0', ...args])
    return (await answered(this.#client, inserted, answerMs)) as number
  }

  async close(): Promise<void> {
    this.#client.disconnect()
  }
}

const missing = ({ stream }: Location): HubError =>
  new HubError('configuration_invalid', `There is no log in the stream ${quote(stream)} of this Redis.`)
