import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Generation } from '../../src/protocol/generation.ts'
import { EventStream } from './event-stream.ts'
import { HubProcess } from './process.ts'
import { bearer, subscriptionsPath } from './subscriptions.ts'
import { publisherToken, signAccessToken, subscriberToken, testIssuer, testKey } from './token.ts'

/** What names the hub in 1.0 tokens, whichever node they are shown to. */
const resource = 'https://hub.example/.well-known/mercure'

const config = `
addr: 127.0.0.1:0
jwt_key: ${testKey}
issuers: [${JSON.stringify(testIssuer)}]
resource_identifier: ${resource}
allow_anonymous: true
subscriptions: true
log_format: JSON
# On a busy machine the tests' own process may be slower than anybody else ever is.
max_queue_bytes: 64MiB
dispatch_timeout: 0s
read_timeout: 0s
read_header_timeout: 0s
`

const everything = [{ match: '*' }]
/** Tokens for every topic. */
export const tokens: Readonly<Record<'publish' | 'subscribe', Readonly<Record<Generation, string>>>> = {
  publish: {
    '0.x': await publisherToken(),
    '1.0': await signAccessToken(resource, [{ actions: ['publish'], topics: everything }]),
  },
  subscribe: {
    '0.x': await subscriberToken(['*']),
    '1.0': await signAccessToken(resource, [{ actions: ['subscribe'], topics: everything }]),
  },
}

export interface Answer {
  /** 0: the connection broke before there was one. */
  readonly status: number
  readonly text: string
  readonly headers: IncomingMessage['headers']
}

/** A node of a cluster: a process of the hub, or the place of one that was killed. */
export class ClusterHub implements AsyncDisposable {
  /** `http://127.0.0.1:PORT`, another one after each start. */
  url = ''
  /** The same of its admin address; empty: it has none. */
  adminUrl = ''
  readonly #config: string
  readonly #agent = new Agent({ keepAlive: true })
  #process: HubProcess | undefined

  constructor(config: string) {
    this.#config = config
  }

  /** Resolves when it listens, and has reached its log. */
  async start(): Promise<void> {
    this.#process = await HubProcess.start({ config: this.#config })
    this.url = await this.#process.url()
    const { admin = '' } = this.#process.log.find(({ msg }) => msg === `listening on ${this.url}`)!
    this.adminUrl = String(admin)
    await this.isReady(true)
  }

  /** Resolves when it says that it is ready, or that it is not. */
  async isReady(wanted: boolean): Promise<void> {
    for (;;) {
      const { status, text } = await this.get('/readyz')
      assert.notEqual(status, 0, text)
      if (status === (wanted ? 200 : 503)) return
      await nextTurn()
    }
  }

  /** Ends it as a crash does, in this moment; resolves when it has ended. */
  async kill(): Promise<void> {
    const ending = this.#process
    this.#process = undefined
    ending?.signal('SIGKILL')
    await ending?.[Symbol.asyncDispose]()
  }

  /** Tells it to stop; resolves with its exit code when it has. */
  async stop(): Promise<unknown> {
    const ending = this.#process!
    ending.signal('SIGTERM')
    const code = await ending.exit()
    this.#process = undefined
    await ending[Symbol.asyncDispose]()
    return code
  }

  async publish(fields: Readonly<Record<string, string>>, generation: Generation = '0.x'): Promise<Answer> {
    const body = new URLSearchParams(fields).toString()
    return await this.#ask('POST', '/.well-known/mercure', tokens.publish[generation], body)
  }

  async get(path: string, token?: string): Promise<Answer> {
    return await this.#ask('GET', path, token)
  }

  /** The topics, or the patterns, of the subscriptions of a generation that this node lists: each as often as it is subscribed to. */
  async listed(generation: Generation): Promise<string[]> {
    const { status, text } = await this.get(subscriptionsPath, tokens.subscribe[generation])
    assert.equal(status, 200, text)
    const { subscriptions } = JSON.parse(text) as { subscriptions: { topic?: string; match?: string }[] }
    return subscriptions.map(({ topic, match }) => topic ?? match ?? '').sort()
  }

  /** Opens a stream; `query` is the URL's. */
  async subscribe(query: string, token?: string): Promise<EventStream> {
    const headers = token === undefined ? {} : bearer(token)
    return await EventStream.open(`${this.url}/.well-known/mercure?${query}`, { headers })
  }

  async #ask(method: string, path: string, token?: string, body?: string): Promise<Answer> {
    const headers = {
      ...(token === undefined ? {} : bearer(token)),
      ...(body === undefined ? {} : { 'Content-Type': 'application/x-www-form-urlencoded' }),
    }
    try {
      const asked = request(this.url + path, { agent: this.#agent, method, headers }).end(body)
      const [answer] = (await once(asked, 'response')) as [IncomingMessage]
      return { status: answer.statusCode!, headers: answer.headers, text: await text(answer) }
    } catch (error) {
      return { status: 0, headers: {}, text: String(error) }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy()
    await this.kill()
  }
}

/** Three hubs with one log, each in a process of its own, as operators run them. */
export class TestCluster implements AsyncDisposable {
  readonly hubs: readonly [ClusterHub, ClusterHub, ClusterHub]

  /** `lines`: further ones of mercure.yaml. */
  static async start(url: URL, lines = ''): Promise<TestCluster> {
    const cluster = new TestCluster(`${config}transport_url: ${JSON.stringify(url.href)}\n${lines}\n`)
    await cluster.startAll()
    return cluster
  }

  private constructor(config: string) {
    this.hubs = [new ClusterHub(config), new ClusterHub(config), new ClusterHub(config)]
  }

  /** Starts all of them, when it is made and after all were killed. */
  async startAll(): Promise<void> {
    await Promise.all(this.hubs.map(hub => hub.start()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.hubs.map(hub => hub[Symbol.asyncDispose]()))
  }
}
