import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** A span as it arrived. */
export interface ReceivedSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  /** Empty: it is the first of its trace. */
  readonly parentSpanId: string
  readonly traceState: string
  /** 1: internal, 2: server, 3: client, 4: producer, 5: consumer. */
  readonly kind: number
  readonly attributes: Readonly<Record<string, unknown>>
  /** 0: unset, 2: error. */
  readonly status: number
  readonly statusMessage: string
  readonly resource: Readonly<Record<string, unknown>>
}

/** A collector of OTLP/HTTP on a free port of the loopback, which decodes what it gets as the protocol has it. */
export class SpanCollector implements AsyncDisposable {
  readonly spans: ReceivedSpan[] = []
  /** Bodies as they came. */
  readonly bodies: string[] = []
  /** What it answers. */
  status = 200
  readonly #server: Server
  readonly #changed = new EventEmitter().setMaxListeners(0)

  static async start(): Promise<SpanCollector> {
    const collector = new SpanCollector()
    collector.#server.listen(0, '127.0.0.1')
    await once(collector.#server, 'listening')
    return collector
  }

  private constructor() {
    this.#server = createServer(async (request, response) => {
      assert.equal(request.headers['content-type'], 'application/json')
      const body = await text(request)
      this.bodies.push(body)
      if (this.status === 200 && request.url === '/v1/traces') this.spans.push(...readSpans(JSON.parse(body)))
      response
        .writeHead(request.url === '/v1/traces' ? this.status : 404, { 'Content-Type': 'application/json' })
        .end('{}')
      this.#changed.emit('change')
    })
  }

  /** `http://127.0.0.1:PORT` */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Resolves when so many requests have come. */
  async requests(count: number): Promise<void> {
    while (this.bodies.length < count) await once(this.#changed, 'change')
  }

  named(name: string): ReceivedSpan[] {
    return this.spans.filter(span => span.name === name)
  }

  /** The only span of this name. */
  one(name: string): ReceivedSpan {
    const found = this.named(name)
    assert.equal(found.length, 1, `${found.length} spans are called ${name}`)
    return found[0]!
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

interface Value {
  stringValue?: string
  intValue?: number
  doubleValue?: number
  boolValue?: boolean
  arrayValue?: { values: Value[] }
}
type Pairs = { key: string; value: Value }[]

interface Body {
  resourceSpans: {
    resource: { attributes: Pairs }
    scopeSpans: {
      scope: { name: string }
      spans: (Omit<ReceivedSpan, 'attributes' | 'status'> & {
        attributes: Pairs
        status: { code: number; message?: string }
      })[]
    }[]
  }[]
}

function readSpans({ resourceSpans }: Body): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) => {
      assert.equal(scope.name, 'talaria')
      return spans.map(({ attributes, status, parentSpanId = '', traceState = '', ...span }) => ({
        ...span,
        parentSpanId,
        traceState,
        attributes: readPairs(attributes),
        status: status.code,
        statusMessage: status.message ?? '',
        resource: readPairs(resource.attributes),
      }))
    }),
  )
}

const readPairs = (pairs: Pairs): Record<string, unknown> =>
  Object.fromEntries(pairs.map(({ key, value }) => [key, readValue(value)]))

const readValue = (value: Value): unknown =>
  value.arrayValue === undefined ? Object.values(value)[0] : value.arrayValue.values.map(readValue)
