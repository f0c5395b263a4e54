import type { Session } from '../backend/connection.ts'
import { Failure } from '../backend/failure.ts'
import { inTime } from '../backend/in-time.ts'
import type { Group } from '../backend/publish-queue.ts'
import type { Client, OutgoingMessage, Producer } from './client.ts'
import { fold, mark, pack, stamp } from './entry.ts'
import { type Location, messageTopic } from './location.ts'
import type { Position } from './position.ts'
import { partitioned } from './prepare.ts'
import { TooLarge } from './too-large.ts'

/** What one message to the other nodes has of theirs at most, in bytes. */
const maxPackBytes = 256 * 1024
const answerMs = 5000

/** What this node has sent, in all its sessions. */
export interface Sent {
  readonly node: string
  updates: number
  messages: number
  /** The place of the newest of its updates. */
  newest: Position | undefined
}

/** A node's two producers: of the log, and of the messages to the other nodes. */
export class Publishing implements Session {
  readonly ended: Promise<void>
  readonly #log: Producer
  readonly #nodes: Producer
  readonly #sent: Sent

  /** @throws Failure; HubError `configuration_invalid` */
  static async open(client: Client, { topic }: Location, sent: Sent, signal: AbortSignal): Promise<Publishing> {
    const log = await client.openProducer(topic, signal)
    try {
      return new Publishing(log, await client.openProducer(messageTopic(topic), signal), sent)
    } catch (error) {
      log.kill()
      throw error
    }
  }

  private constructor(log: Producer, nodes: Producer, sent: Sent) {
    this.#log = log
    this.#nodes = nodes
    this.#sent = sent
    this.ended = Promise.race([log.ended, nodes.ended])
  }

  get isOver(): boolean {
    return this.#log.isOver || this.#nodes.isOver
  }

  async end(): Promise<void> {
    await Promise.all([this.#log.end(), this.#nodes.end()])
  }

  kill(): void {
    this.#log.kill()
    this.#nodes.kill()
  }

  /**
   * Resolves when messages are sent and updates stored, but for those that are too large, of which `tell` is told as well. All of it leaves at once: who
   * reads an update knows for which messages to wait. `timeoutMs`: 0: for ever.
   * @throws Failure
   */
  async store(group: Group<OutgoingMessage>, timeoutMs: number, tell: (tooLarge: TooLarge) => void): Promise<void> {
    const late = () => new Failure('broken', `it has not answered for ${timeoutMs / 1000} s`)
    const told = this.#tell(group.messages)
    const storing = fold(group.items).map(folded => this.#append(folded))
    const stored = settle(storing, group, tell)
    await inTime(Promise.all([stored, told]), timeoutMs, late)
  }

  #append({ message, count }: { message: OutgoingMessage; count: number }): Storing {
    const sent = this.#sent
    sent.updates += count
    const stored = this.#log.send(stamp(message, sent)).then(position => {
      sent.newest = position
    })
    return { stored, count }
  }

  async #tell(messages: readonly Uint8Array[]): Promise<void> {
    const packs: Promise<Position>[] = []
    for (let from = 0; from < messages.length; ) {
      let bytes = 0
      let to = from
      while (to < messages.length && (to === from || bytes + messages[to]!.length <= maxPackBytes))
        bytes += messages[to++]!.length
      this.#sent.messages += to - from
      const payload = pack(messages.slice(from, to))
      packs.push(this.#nodes.send(stamp({ payload, properties: {} }, this.#sent)))
      from = to
    }
    await Promise.all(packs)
  }

  /** Stores a mark, and tells where: at the end of the log. @throws Failure; HubError `configuration_invalid` */
  async findEnd(topic: Location['topic']): Promise<Position> {
    const late = () => new Failure('broken', `it has not stored anything for ${answerMs / 1000} s`)
    const end = await inTime(this.#log.send(mark), answerMs, late)
    if (end.partition >= 0) throw partitioned(topic)
    return end
  }

  /** @throws Failure */
  async probe(): Promise<void> {
    await Promise.all([this.#log.probe(), this.#nodes.probe()])
  }
}

interface Storing {
  readonly stored: Promise<void>
  /** Updates of which it is. */
  readonly count: number
}

/** Waits for all, so that it is known of each whether it is stored. @throws Failure, of the first that is not */
async function settle(
  storing: readonly Storing[],
  { acknowledge, refuse }: Group<OutgoingMessage>,
  tell: (tooLarge: TooLarge) => void,
): Promise<void> {
  let updates = 0
  let failure: Failure | undefined
  const results = storing.map(({ stored }) => stored.then(() => undefined, Failure.of))
  for (const [i, result] of results.entries()) {
    const reason = await result
    updates += storing[i]!.count
    if (reason instanceof TooLarge && storing[i]!.count === 1) {
      refuse(updates - 1, reason.error)
      tell(reason)
    } else if (reason === undefined && failure === undefined) acknowledge(updates)
    else if (failure === undefined) failure = reason
    // What is stored behind what is not cannot be told from it.
    else if (reason === undefined) failure = new Failure('broken', failure.message, failure.code)
  }
  if (failure !== undefined) throw failure
}
