import type * as binding from 'pulsar-client'
import { HubError } from '../../src/errors.ts'
import { Failure } from '../backend/failure.ts'
import { inTime } from '../backend/in-time.ts'
import { misconfigured } from '../backend/refusals.ts'
import { type Client, formatTopic, type Producer, type Reader, type ReaderOptions, type Topic } from './client.ts'
import { mark } from './entry.ts'
import { ofNative } from './failure.ts'
import { type Location, pulsar } from './location.ts'
import { NativeProducer, NativeReader } from './native-session.ts'
import { encodeMessageId, type Position } from './position.ts'

type Binding = typeof binding.default

const operationSeconds = 5
/** How long Pulsar tries to store a message, where nobody says. */
const sendMs = 30_000
const closeMs = 1000

/** @throws HubError `configuration_invalid` where the package is not installed */
export async function openNativeClient(location: Location, publishTimeoutMs: number): Promise<Client> {
  return new NativeClient(await load(), location, publishTimeoutMs)
}

async function load(): Promise<Binding> {
  try {
    const { default: binding } = await import('pulsar-client')
    // It would write to the output of the hub.
    binding.Client.setLogHandler(() => {})
    return binding
  } catch (error) {
    const { code, message } = error as Error & { code?: string }
    const isMissing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
    const reason = isMissing ? 'is missing' : `cannot be loaded (${message.split('\n')[0]})`
    throw new HubError(
      'configuration_invalid',
      `transport_url, pulsar: the package "pulsar-client" ${reason}; install it with "npm install pulsar-client", or write pulsar+ws://host:8080 for Pulsar's WebSocket API, which needs no package.`,
      { cause: error },
    )
  }
}

/** Pulsar's own client for Node, which is one in C++. */
class NativeClient implements Client {
  readonly #binding: Binding
  readonly #client: binding.Client
  readonly #location: Location
  readonly #sendTimeoutMs: number
  /** Those that are not closed yet. */
  readonly #readers = new Set<NativeReader>()

  constructor(binding: Binding, location: Location, publishTimeoutMs: number) {
    const { tls, addresses, token, tlsCaFile } = location
    this.#binding = binding
    this.#location = location
    this.#sendTimeoutMs = publishTimeoutMs === 0 ? sendMs : publishTimeoutMs
    const hosts = addresses.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`)
    this.#client = new binding.Client({
      serviceUrl: `pulsar${tls ? '+ssl' : ''}://${hosts.join(',')}`,
      operationTimeoutSeconds: operationSeconds,
      connectionTimeoutMs: operationSeconds * 1000,
      tlsValidateHostname: true,
      ...(token === undefined ? {} : { authentication: new binding.AuthenticationToken({ token }) }),
      ...(tlsCaFile === undefined ? {} : { tlsTrustCertsFilePath: tlsCaFile }),
    })
  }

  async openProducer(topic: Topic, signal: AbortSignal): Promise<Producer> {
    await this.#checkPartitions(topic)
    const opening = this.#client.createProducer({
      topic: formatTopic(topic),
      sendTimeoutMs: Math.ceil(this.#sendTimeoutMs),
      maxPendingMessages: 2000,
      batchingEnabled: false,
    })
    const producer = await this.#opened(opening, topic, signal)
    return new NativeProducer(producer, () => this.#ping(topic))
  }

  async openReader(topic: Topic, { after, ahead, isLive }: ReaderOptions, signal: AbortSignal): Promise<Reader> {
    const { readerName } = this.#location
    const opening = this.#client.createReader({
      topic: formatTopic(topic),
      startMessageId: this.#toMessageId(after),
      receiverQueueSize: ahead,
      ...(readerName === undefined ? {} : { readerName }),
    })
    const reader = new NativeReader(await this.#opened(opening, topic, signal), {
      isLive,
      ping: () => this.#ping(topic),
      wake: () => this.#wake(topic),
    })
    this.#readers.add(reader)
    void reader.closed.then(() => this.#readers.delete(reader))
    return reader
  }

  async close(): Promise<void> {
    const late = () => new Failure('broken', 'it does not answer')
    // It would close what is read from.
    if (this.#readers.size > 0) return
    await inTime(this.#client.close(), closeMs, late).catch(() => {})
  }

  /** What is opened after all is closed again. @throws Failure */
  async #opened<Opened extends { close(): Promise<null> }>(
    opening: Promise<Opened>,
    topic: Topic,
    signal: AbortSignal,
  ): Promise<Opened> {
    const aborted = Promise.withResolvers<never>()
    const abort = () => aborted.reject(new Failure('broken', 'the hub is shutting down'))
    signal.addEventListener('abort', abort)
    try {
      if (signal.aborted) abort()
      return await Promise.race([opening, aborted.promise])
    } catch (error) {
      opening.then(opened => opened.close()).catch(() => {})
      throw ofNative(error, topic)
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  /** @throws HubError `configuration_invalid` */
  async #checkPartitions(topic: Topic): Promise<void> {
    let names: string[]
    try {
      names = await this.#client.getPartitionsForTopic(formatTopic(topic))
    } catch {
      // It is not there, or what is wrong is told by what follows.
      return
    }
    if (names.length > 1 || /-partition-\d+$/.test(names[0] ?? '')) {
      throw misconfigured(pulsar, `${formatTopic(topic)} has partitions, and with them no order; name another topic`)
    }
  }

  async #wake(topic: Topic): Promise<void> {
    const producer = await this.#client.createProducer({
      topic: formatTopic(topic),
      sendTimeoutMs: closeMs,
      batchingEnabled: false,
    })
    await producer.send({ data: Buffer.from(mark.payload), properties: { ...mark.properties } })
    await producer.close()
  }

  async #ping(topic: Topic): Promise<void> {
    await this.#client.getPartitionsForTopic(formatTopic(topic))
  }

  #toMessageId(place: Position | 'earliest' | 'latest'): binding.MessageId {
    const { MessageId } = this.#binding
    if (place === 'earliest') return MessageId.earliest()
    return place === 'latest' ? MessageId.latest() : MessageId.deserialize(encodeMessageId(place))
  }
}
