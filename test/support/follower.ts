import assert from 'node:assert/strict'
import type { EventSourceMessage } from 'eventsource-parser'
import type { ClusterHub } from './cluster.ts'
import type { EventStream } from './event-stream.ts'

/** A subscriber that goes on at another node, after its last event, where its own one fails it. */
export class Follower {
  readonly #query: string
  readonly #token: string | undefined
  readonly #before: EventSourceMessage[] = []
  #stream: EventStream
  /** The node that it is connected to. */
  hub: ClusterHub

  /** `query` names the topics; without a token it gets public updates. */
  static async open(hub: ClusterHub, query: string, token?: string): Promise<Follower> {
    return new Follower(hub, query, token, await hub.subscribe(query, token))
  }

  private constructor(hub: ClusterHub, query: string, token: string | undefined, stream: EventStream) {
    this.hub = hub
    this.#query = query
    this.#token = token
    this.#stream = stream
  }

  /** What it has received from all nodes, in order. */
  get events(): EventSourceMessage[] {
    return [...this.#before, ...this.#stream.events]
  }

  /** The same without the first so many. */
  eventsFrom(count: number): EventSourceMessage[] {
    const { length } = this.#before
    return count < length ? this.events.slice(count) : this.#stream.events.slice(count - length)
  }

  get ids(): string[] {
    return this.events.map(({ id }) => id ?? '')
  }

  get data(): string[] {
    return this.events.map(({ data }) => data)
  }

  /** Resolves when this is the newest event; fails when its stream ends first. */
  async receives(data: string): Promise<void> {
    await this.until(() => this.#stream.events.at(-1)?.data === data)
  }

  /** Resolves when something that comes makes the condition true; fails when its stream ends first. */
  async until(condition: () => boolean): Promise<void> {
    await this.#stream.until(condition)
  }

  /** Resolves when its stream has ended. */
  async end(): Promise<void> {
    await this.#stream.end()
  }

  /** Leaves its node, or what was it, and goes on at another one; fails unless that knows where. */
  async moveTo(hub: ClusterHub): Promise<void> {
    this.#stream.close()
    await this.#stream.end()
    this.#before.push(...this.#stream.events)
    const last = this.#before.at(-1)?.id ?? 'earliest'
    this.hub = hub
    this.#stream = await hub.subscribe(`${this.#query}&last_event_id=${encodeURIComponent(last)}`, this.#token)
    assert.equal(this.#stream.response.headers.get('last-event-id'), last, 'the node knows the last event')
  }

  close(): void {
    this.#stream.close()
  }
}
