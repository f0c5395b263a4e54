import { HubError } from '../../src/errors.ts'
import { Failure } from '../backend/failure.ts'
import { misconfigured } from '../backend/refusals.ts'
import { answered, type Connection, connectBroker, kill, type Library } from './broker.ts'
import { interpret } from './failure.ts'
import { type Address, kafka, type Location } from './location.ts'

/** Where a topic's first partition is. */
export interface Whereabouts {
  /** What the cluster calls this topic: another one of the same name has another. `undefined`: it calls it nothing else. */
  readonly topicId: string | undefined
  readonly partitions: number
  /** `undefined`: it has none now. */
  readonly leader: Address | undefined
}

/** Coordinators are there for groups, and for others. */
const groupKey = 0
/** Kafka's name of the id that no topic has. */
const noId = '00000000-0000-0000-0000-000000000000'

type ReadMetadata = Library['metadataV10']['api']['async']

/** A cluster, as one of its brokers knows it. */
export class Cluster {
  readonly address: Address
  readonly connection: Connection
  readonly #readMetadata: ReadMetadata

  /** @throws Failure, HubError `configuration_invalid` */
  static async ask(library: Library, location: Location, address: Address, signal: AbortSignal): Promise<Cluster> {
    const connection = await connectBroker(library, location, address, signal).catch(error => {
      throw explain(error, address)
    })
    try {
      return new Cluster(address, connection, await chooseMetadata(library, connection))
    } catch (error) {
      kill(connection)
      throw explain(error, address)
    }
  }

  private constructor(address: Address, connection: Connection, readMetadata: ReadMetadata) {
    this.address = address
    this.connection = connection
    this.#readMetadata = readMetadata
  }

  /** @returns `undefined`: there is no such topic. @throws Failure */
  async find(topic: string): Promise<Whereabouts | undefined> {
    try {
      const { brokers, topics } = await this.#ask([{ name: topic }])
      const { partitions, topicId } = topics[0]!
      const first = partitions.find(({ partitionIndex }) => partitionIndex === 0)
      return {
        topicId: topicId === undefined || topicId === noId ? undefined : topicId,
        partitions: partitions.length,
        leader: brokers.find(({ nodeId }) => nodeId === first?.leaderId),
      }
    } catch (error) {
      const failure = interpret(error)
      if (failure.code === 'UNKNOWN_TOPIC_OR_PARTITION') return undefined
      throw failure
    }
  }

  /** The broker that keeps the offsets of a consumer group. @throws Failure */
  async findCoordinator(library: Library, group: string): Promise<Address> {
    try {
      const found = library.findCoordinatorV2.api.async(this.connection, groupKey, [group])
      const { coordinators } = await answered(this.connection, found)
      return coordinators[0]!
    } catch (error) {
      throw interpret(error)
    }
  }

  /** The broker that makes topics. @throws Failure */
  async findController(): Promise<Address> {
    const { brokers, controllerId } = await this.#ask([])
    const controller = brokers.find(({ nodeId }) => nodeId === controllerId)
    if (controller === undefined) throw new Failure('passing', 'the cluster has no controller now')
    return controller
  }

  #ask(topics: { name: string }[]): ReturnType<ReadMetadata> {
    return answered(this.connection, this.#readMetadata(this.connection, topics, false))
  }
}

/** Finds out whether the broker speaks what is spoken here. */
async function chooseMetadata(library: Library, connection: Connection): Promise<ReadMetadata> {
  const { produceV7, fetchV11, listOffsetsV5, metadataV8, metadataV10 } = library
  const { apiKeys } = await answered(connection, library.apiVersionsV3.api.async(connection, 'talaria', '1.0'))
  const speaks = ({ api }: { api: { key: number; version: number } }) =>
    apiKeys.some(
      known => known.apiKey === api.key && known.minVersion <= api.version && api.version <= known.maxVersion,
    )
  if (!apiKeys.some(({ apiKey }) => apiKey === produceV7.api.key)) {
    throw misconfigured(
      kafka,
      'what answers there takes no updates; it may be the port of a controller: name the port of a broker for clients',
    )
  }
  if (![produceV7, fetchV11, listOffsetsV5, metadataV8].every(speaks)) {
    throw misconfigured(kafka, 'the broker is too old; Kafka 2.4 or later is needed')
  }
  // Since Kafka 2.8 topics have ids.
  return speaks(metadataV10) ? metadataV10.api.async : metadataV8.api.async
}

/**
 * A broker at which one has to log in ends the connections of those who have not, and says nothing: so it is asked.
 * @throws HubError `configuration_invalid` when it is so
 */
export async function checkOpenness(
  library: Library,
  location: Location,
  address: Address,
  signal: AbortSignal,
): Promise<void> {
  if (location.credentials !== undefined) return
  const connection = await connectBroker(library, location, address, signal)
  try {
    await answered(connection, library.saslHandshakeV1.api.async(connection, 'PLAIN'))
  } catch (error) {
    if (interpret(error).code !== 'UNSUPPORTED_SASL_MECHANISM') return
  } finally {
    kill(connection)
  }
  throw misconfigured(
    kafka,
    'the broker asks for user and password at that port; add user=…&password=…, and mechanism=… if it is not plain',
  )
}

/** Says where it was, of what does not. */
export function explain(error: unknown, { host, port }: Address): Error {
  if (error instanceof HubError) return error
  const failure = interpret(error)
  const { meaning, message, code } = failure
  if (meaning !== 'broken' || message.includes(`:${port}`)) return failure
  const said = message.startsWith('Connection closed') ? 'the connection was closed without an answer' : message
  return new Failure(meaning, `${said}, at ${host}:${port}`, code)
}
