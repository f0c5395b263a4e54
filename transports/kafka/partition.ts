import type { Session } from '../backend/connection.ts'
import { Failure } from '../backend/failure.ts'
import { inTime } from '../backend/in-time.ts'
import { type Connection, kill, type Library } from './broker.ts'
import { interpret } from './failure.ts'
import { decodeBatches, type EncodedRecord, encodeBatch, type StoredRecord } from './records.ts'

/** A topic's only partition, or its first one, at the broker that leads it. */
export interface PartitionOptions {
  readonly library: Library
  readonly connection: Connection
  readonly topic: string
  /** What the cluster calls this topic: another one of the same name has another. `undefined`: it calls it nothing else. */
  readonly topicId: string | undefined
}

export interface Produced {
  /** The offset of the first record. */
  readonly offset: number
  /** The broker has given the records its own time, as the topic has it. */
  readonly hasOtherTime: boolean
}

export interface Fetched {
  readonly records: readonly StoredRecord[]
  /** The offset after what was fetched. */
  readonly end: number
  /** The offset of the oldest record that is there. */
  readonly low: number
  /** The offset that the next record will have. */
  readonly high: number
}

/** Of the protocol: the first partition, and what all replicas in sync have. */
const partition = 0
const allInSync = -1
const anyEpoch = -1
const noTransactions = 0
const produceKey = 0
const produceVersion = 7
const fetchKey = 1
const fetchVersion = 11
const errorCodeOutOfRange = 1
const topicResource = 2

const answerMs = 5000
/** After so much silence something is asked. */
const restMs = 20_000

export class Partition implements Session {
  readonly topic: string
  readonly topicId: string | undefined
  readonly ended: Promise<void>
  readonly #library: Library
  readonly #connection: Connection
  #isOver = false
  #askedAtMs = performance.now()
  readonly #vigil: NodeJS.Timeout

  constructor({ library, connection, topic, topicId }: PartitionOptions) {
    this.topic = topic
    this.topicId = topicId
    this.#library = library
    this.#connection = connection
    this.ended = new Promise(resolve =>
      connection.once('close', () => {
        this.#isOver = true
        clearInterval(this.#vigil)
        resolve()
      }),
    )
    this.#vigil = setInterval(() => this.#keepAlive(), restMs)
  }

  get isOver(): boolean {
    return this.#isOver || this.#connection.socket.destroyed
  }

  async end(): Promise<void> {
    await this.#connection.close()
  }

  kill(): void {
    kill(this.#connection)
  }

  /**
   * Stores records, one after the other, all or none; without times of their own they get that of now.
   * @throws Failure
   */
  async produce(
    records: readonly EncodedRecord[],
    timeoutMs: number,
    timesMs: number | readonly number[] = Date.now(),
  ): Promise<Produced> {
    const { Writer, produceV7, crc32c } = this.#library
    const batch = encodeBatch(records, timesMs, crc32c)
    const request = () =>
      Writer.create()
        .appendString(null, false)
        .appendInt16(allInSync)
        .appendInt32(timeoutMs === 0 ? 60_000 : timeoutMs)
        .appendInt32(1)
        .appendString(this.topic, false)
        .appendInt32(1)
        .appendInt32(partition)
        .appendInt32(batch.length)
        .append(batch)
    const stored = new Promise<Produced>((resolve, reject) => {
      this.#connection.send(
        produceKey,
        produceVersion,
        request,
        produceV7.parseResponse,
        false,
        false,
        (error, response) => {
          if (error !== null) return reject(error)
          const { baseOffset, logAppendTimeMs } = response!.responses[0]!.partitionResponses[0]!
          resolve({ offset: Number(baseOffset), hasOtherTime: logAppendTimeMs >= 0n })
        },
      )
    })
    return await this.#answered(stored, timeoutMs)
  }

  /**
   * What is stored from an offset on; waits for the next record when there is none.
   * @throws Failure; `OutOfRange`
   */
  async fetch({ from, waitMs = 0, maxBytes }: { from: number; waitMs?: number; maxBytes: number }): Promise<Fetched> {
    const { fetchV11 } = this.#library
    const place = {
      partition,
      currentLeaderEpoch: anyEpoch,
      fetchOffset: BigInt(from),
      lastFetchedEpoch: -1,
      partitionMaxBytes: maxBytes,
    }
    const topics = [{ topicId: this.topic, partitions: [place] }]
    const request = () => fetchV11.createRequest(waitMs, 1, maxBytes, noTransactions, 0, -1, topics, [], '')
    const fetched = new Promise<RawFetched>((resolve, reject) => {
      this.#connection.send(fetchKey, fetchVersion, request, parseFetched, false, false, (error, response) => {
        if (error === null) resolve(response!)
        else reject(error)
      })
    })
    const { errorCode, low, high, data } = await this.#answered(fetched, waitMs + answerMs)
    if (errorCode === errorCodeOutOfRange) throw new OutOfRange()
    if (errorCode !== 0) throw interpret(new this.#library.ProtocolError(errorCode))
    const decompress = (algorithm: number, bytes: Buffer): Buffer =>
      this.#library.compressionsAlgorithmsByBitmask[algorithm]!.decompressSync(bytes)
    return { ...decodeBatches(data, from, decompress), low, high }
  }

  /** The offset of the oldest record that is there. @throws Failure */
  findLow(): Promise<number> {
    return this.#findOffset(-2n).then(offset => offset!)
  }

  /** The offset that the next record will have. @throws Failure */
  findHigh(): Promise<number> {
    return this.#findOffset(-1n).then(offset => offset!)
  }

  /** The offset of the first record of a time, in milliseconds, or later; `undefined`: there is none. @throws Failure */
  findTime(timeMs: number): Promise<number | undefined> {
    return this.#findOffset(BigInt(timeMs))
  }

  async #findOffset(timestamp: bigint): Promise<number | undefined> {
    const partitions = [{ partitionIndex: partition, currentLeaderEpoch: anyEpoch, timestamp }]
    const request = [{ name: this.topic, partitions }]
    const answer = this.#library.listOffsetsV5.api.async(this.#connection, -1, noTransactions, request)
    const { topics } = await this.#answered(answer, answerMs)
    const offset = Number(topics[0]!.partitions[0]!.offset)
    return offset < 0 ? undefined : offset
  }

  /** Removes what is older. @returns the offset of the oldest record then @throws Failure */
  async deleteBefore(offset: number): Promise<number> {
    const request = [{ name: this.topic, partitions: [{ partitionIndex: partition, offset: BigInt(offset) }] }]
    const answer = this.#library.deleteRecordsV1.api.async(this.#connection, request, answerMs)
    return Number((await this.#answered(answer, 2 * answerMs)).topics[0]!.partitions[0]!.lowWatermark)
  }

  /** Settings of the topic, by their names; `undefined`: the user may not know them. @throws Failure */
  async describe(names: string[]): Promise<ReadonlyMap<string, string> | undefined> {
    const resources = [{ resourceType: topicResource, resourceName: this.topic, configurationKeys: names }] as const
    const answer = this.#library.describeConfigsV2.api.async(this.#connection, [...resources])
    try {
      const { results } = await this.#answered(answer, answerMs)
      return new Map(results[0]!.configs.map(({ name, value }) => [name, value ?? '']))
    } catch (error) {
      if (Failure.of(error).meaning === 'misconfigured') return undefined
      throw error
    }
  }

  /** Brokers end connections on which nothing is asked; and of one that has died nobody would know. */
  #keepAlive(): void {
    if (performance.now() - this.#askedAtMs >= restMs) this.findHigh().catch(() => {})
  }

  /** A broker that does not answer is given up, and the connection with it. */
  async #answered<Answer>(answer: Promise<Answer>, timeoutMs: number): Promise<Answer> {
    this.#askedAtMs = performance.now()
    const late = () => {
      this.kill()
      return new Failure('broken', `it has not answered for ${timeoutMs / 1000} s`)
    }
    try {
      return await inTime(answer, timeoutMs, late)
    } catch (error) {
      throw interpret(error)
    }
  }
}

/** There is no record at an offset: it has left the log, or has not come to it. */
export class OutOfRange extends Failure {
  constructor() {
    super('refused', 'the log has nothing at that place', 'OFFSET_OUT_OF_RANGE')
  }
}

interface RawFetched {
  readonly errorCode: number
  readonly low: number
  readonly high: number
  readonly data: Buffer
}

/** The answer of one partition. The library's own way makes many objects of each record. */
function parseFetched(
  _correlation: number,
  _key: number,
  _version: number,
  reader: InstanceType<Library['Reader']>,
): RawFetched {
  // How long the client is asked to be silent: the broker is, for that time.
  reader.skip(4)
  const sessionError = reader.readInt16()
  reader.skip(4)
  if (sessionError !== 0 || reader.readInt32() === 0) return { errorCode: sessionError, low: 0, high: 0, data: nothing }
  reader.readString(false)
  if (reader.readInt32() === 0) return { errorCode: 0, low: 0, high: 0, data: nothing }
  reader.skip(4)
  const errorCode = reader.readInt16()
  const high = Number(reader.readInt64())
  reader.skip(8)
  const low = Number(reader.readInt64())
  // What was aborted, and which other replica to ask.
  reader.readNullableArray(() => reader.skip(16), false, false)
  reader.skip(4)
  return { errorCode, low, high, data: reader.readNullableBytes(false) ?? nothing }
}

const nothing = Buffer.alloc(0)
