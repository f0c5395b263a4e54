import type { Archive, ArchivedUpdate } from '../../src/archive.ts'
import { HubError } from '../../src/errors.ts'
import { Failure } from '../backend/failure.ts'
import { Admin } from './admin.ts'
import { type Client, formatTopic, type Producer, type Topic } from './client.ts'
import { createClient } from './connect.ts'
import { createNodeName, decodeUpdate, encodeUpdate, fold, mark, readTime, stamp, withTime } from './entry.ts'
import type { Location } from './location.ts'
import { PastReader } from './past.ts'
import type { Position } from './position.ts'
import { keepTopic, makeTopic } from './prepare.ts'
import { Repeats } from './repeats.ts'

const silent = { info() {}, warn() {}, error() {} }
const sendMs = 5000

/** A log in Pulsar without a hub; hubs may be writing it. */
export class PulsarArchive implements Archive {
  readonly #location: Location
  readonly #client: Client
  readonly #end: Position
  readonly #sent = { node: createNodeName(), updates: 0, messages: 0 }
  #producer: Producer | undefined

  /** @throws Failure; HubError `configuration_invalid` */
  static async open(location: Location, { writable }: { writable: boolean }): Promise<PulsarArchive> {
    const { adminUrl, topic } = location
    const client = await createClient(location, sendMs)
    const admin = adminUrl === undefined ? undefined : new Admin(adminUrl, location)
    try {
      if (writable) {
        await makeTopic(admin, topic)
        await keepTopic(admin, location, silent)
      }
      return new PulsarArchive(location, client, await findEnd(topic, client, admin))
    } catch (error) {
      await client.close()
      throw error
    }
  }

  private constructor(location: Location, client: Client, end: Position) {
    this.#location = location
    this.#client = client
    this.#end = end
  }

  async *read(): AsyncGenerator<readonly ArchivedUpdate[]> {
    if (this.#end.entry < 0) return
    const reader = new PastReader(this.#client, this.#location.topic)
    const repeats = new Repeats()
    try {
      for (let place: Position | 'earliest' = 'earliest'; ; ) {
        const page = await reader.page(place, this.#end)
        if (page === undefined) return
        yield page.messages.flatMap(message => {
          const placed = repeats.has(message) ? undefined : decodeUpdate(message)
          return placed === undefined ? [] : [{ update: placed.update, timeMs: readTime(message) }]
        })
        place = page.end
      }
    } finally {
      await reader.end()
    }
  }

  async append(updates: readonly ArchivedUpdate[]): Promise<number> {
    this.#producer ??= await this.#client.openProducer(this.#location.topic, new AbortController().signal)
    const messages = updates.map(({ update, timeMs }) => {
      const message = encodeUpdate(update)
      return timeMs === undefined ? message : withTime(message, timeMs)
    })
    const stored = fold(messages).map(({ message, count }) => {
      this.#sent.updates += count
      return this.#producer!.send(stamp(message, this.#sent))
    })
    const failed = (await Promise.allSettled(stored)).find(result => result.status === 'rejected')
    // Others of them may be stored.
    if (failed !== undefined) throw new Failure('broken', Failure.of(failed.reason).message)
    return 0
  }

  async close(): Promise<void> {
    await this.#producer?.end()
    await this.#client.close()
  }
}

/** Without the admin API only a mark tells. */
async function findEnd(topic: Topic, client: Client, admin: Admin | undefined): Promise<Position> {
  try {
    if (admin !== undefined) return await admin.end()
  } catch (error) {
    if (Failure.of(error).code === '404') {
      throw new HubError(
        'configuration_invalid',
        `There is no log in the topic ${formatTopic(topic)} of this Pulsar: it has no such topic.`,
      )
    }
  }
  const producer = await client.openProducer(topic, new AbortController().signal)
  try {
    return await producer.send(mark)
  } finally {
    await producer.end()
  }
}
