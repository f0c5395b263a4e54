import { setTimeout as pause } from 'node:timers/promises'
import { HubError } from '../../src/errors.ts'
import { Failure } from '../backend/failure.ts'
import { misconfigured } from '../backend/refusals.ts'
import { type Connection, connectBroker, kill, type Library, load, unanswered } from './broker.ts'
import { Cluster, checkOpenness, explain, type Whereabouts } from './cluster.ts'
import { type Address, kafka, type Location } from './location.ts'
import { Partition } from './partition.ts'
import { createTopic, type WantedTopic } from './topic.ts'

/** A topic that has just been made has a leader in a moment. */
const attempts = 40
const betweenAttemptsMs = 50

/** The brokers that a URL names, by which all others are found. */
export class Brokers {
  readonly #location: Location
  /** The one that answered last is asked first. */
  readonly #addresses: Address[]

  constructor(location: Location) {
    this.#location = location
    this.#addresses = [...location.addresses]
  }

  /**
   * Connects to the broker that leads a topic's first partition; makes the topic if it is not there. Gives up when aborted.
   * @throws Failure, HubError `configuration_invalid`
   */
  async openPartition(topic: WantedTopic, signal: AbortSignal): Promise<Partition> {
    const library = await load()
    const failures: Failure[] = []
    for (const address of [...this.#addresses]) {
      try {
        const partition = await this.#openBy(library, address, topic, signal)
        this.#addresses.sort((a, b) => Number(b === address) - Number(a === address))
        return partition
      } catch (error) {
        if (signal.aborted || !(error instanceof Failure)) throw error
        failures.push(error)
      }
    }
    // What is wrong with one of several brokers may be right with one that is away now.
    throw failures.findLast(({ meaning }) => meaning !== 'misconfigured') ?? failures.at(-1)!
  }

  /** Connects to the broker that keeps the offsets of a consumer group. @throws Failure, HubError `configuration_invalid` */
  async openCoordinator(group: string, signal: AbortSignal): Promise<Connection> {
    const library = await load()
    const cluster = await Cluster.ask(library, this.#location, this.#addresses[0]!, signal)
    try {
      return await this.#connectAdvertised(library, await cluster.findCoordinator(library, group), signal)
    } finally {
      kill(cluster.connection)
    }
  }

  async #openBy(library: Library, address: Address, topic: WantedTopic, signal: AbortSignal): Promise<Partition> {
    const cluster = await Cluster.ask(library, this.#location, address, signal)
    try {
      return await this.#openLeader(library, cluster, topic, signal)
    } catch (error) {
      kill(cluster.connection)
      const failure = explain(error, address)
      if (failure instanceof Failure && failure.meaning === 'broken' && failure.code !== unanswered) {
        await checkOpenness(library, this.#location, address, signal)
      }
      throw failure
    }
  }

  async #openLeader(library: Library, cluster: Cluster, topic: WantedTopic, signal: AbortSignal): Promise<Partition> {
    const { topicId, partitions, leader } = await this.#findOrCreate(library, cluster, topic, signal)
    if (partitions > 1 && !this.#location.anyPartitions) {
      throw misconfigured(
        kafka,
        `the topic ${topic.name} has ${partitions} partitions, and a log has one order; name another topic, or let its first partition be the log with partitions=any`,
      )
    }
    if (leader === undefined) throw new Failure('passing', `the topic ${topic.name} has no leader now`)
    const { host, port } = cluster.address
    const isHere = leader.host === host && leader.port === port
    const connection = isHere ? cluster.connection : await this.#connectAdvertised(library, leader, signal)
    if (!isHere) kill(cluster.connection)
    return new Partition({ library, connection, topic: topic.name, topicId })
  }

  async #findOrCreate(
    library: Library,
    cluster: Cluster,
    topic: WantedTopic,
    signal: AbortSignal,
  ): Promise<Whereabouts> {
    const known = await cluster.find(topic.name)
    if (known !== undefined) return known
    if (topic.mustExist) {
      throw new HubError(
        'configuration_invalid',
        `There is no log in the topic ${topic.name} of this Kafka: it has no such topic.`,
      )
    }
    const controller = await this.#connectAdvertised(library, await cluster.findController(), signal)
    try {
      await createTopic(library, controller, topic)
    } finally {
      kill(controller)
    }
    for (let i = 0; i < attempts; i++) {
      const made = await cluster.find(topic.name)
      if (made?.leader !== undefined) return made
      await pause(betweenAttemptsMs, undefined, { signal })
    }
    throw new Failure('passing', `the topic ${topic.name} was made, and has no leader yet`)
  }

  /** Connects to a broker of which another one has told. */
  async #connectAdvertised(library: Library, address: Address, signal: AbortSignal): Promise<Connection> {
    try {
      return await connectBroker(library, this.#location, address, signal)
    } catch (error) {
      const { meaning, message, code } = Failure.of(error)
      const where = `at ${address.host}:${address.port}, where the cluster sends its clients (advertised.listeners)`
      throw new Failure(meaning, `${message}; that is ${where}`, code)
    }
  }
}
