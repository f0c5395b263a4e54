import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { resolve } from '../../src/config/resolve.ts'
import { schema } from '../../src/config/schema.ts'
import { createLog } from '../../src/log.ts'
import { type RunningHub, serve } from '../../src/serve.ts'
import type { OpenTransport } from '../../src/transport.ts'
import { EventStream } from './event-stream.ts'
import { publisherToken, testKey } from './token.ts'

/** Keys of mercure.yaml, as they stand there. */
export type Settings = Record<string, unknown>

export interface TestHub extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** `http://127.0.0.1:PORT/.well-known/mercure` */
  readonly hubUrl: string
  readonly running: RunningHub
  /** What the hub has logged: one JSON object a line. */
  readonly logs: Record<string, unknown>[]
  /** Resolves with the first line of the log that satisfies the condition, when it has been written. */
  logged(condition: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>
  /** Publishes with a token for every topic; lists repeat the field. Fails unless the answer is 200; returns the id. */
  publish(fields: Record<string, string | string[]>): Promise<string>
  /** Sends a publish request as it is. */
  post(body: RequestInit['body'], init?: RequestInit): Promise<Response>
  /** Opens a stream: `query` is the URL's query. Fails unless the answer is 200. */
  subscribe(query: string, init?: RequestInit): Promise<EventStream>
  /** A request to a path of the hub. */
  fetch(path: string, init?: RequestInit): Promise<Response>
  close(): Promise<void>
}

/** A real hub on a free port of the loopback: anonymous subscribers allowed, heartbeats off, everything else as in production. */
export async function startHub(settings: Settings = {}, openLog?: OpenTransport): Promise<TestHub> {
  const logs: Record<string, unknown>[] = []
  const written = new EventEmitter().setMaxListeners(0)
  const write = (line: string) => {
    logs.push(JSON.parse(line))
    written.emit('line')
  }
  const log = createLog({ format: 'json', debug: true, destination: { write } })
  const running = await serve(readSettings(settings), log, openLog)
  const { url } = running
  const hubUrl = `${url}/.well-known/mercure`
  const streams = new Set<EventStream>()
  const hub: TestHub = {
    url,
    hubUrl,
    running,
    logs,
    async logged(condition) {
      for (let next = 0; ; next++) {
        while (next === logs.length) await once(written, 'line')
        if (condition(logs[next]!)) return logs[next]!
      }
    },
    async publish(fields) {
      const body = new URLSearchParams()
      for (const [name, value] of Object.entries(fields)) for (const one of [value].flat()) body.append(name, one)
      const response = await hub.post(body)
      const text = await response.text()
      assert.equal(response.status, 200, text)
      return text
    },
    async post(body, init = {}) {
      const headers = new Headers(init.headers)
      if (!headers.has('Authorization')) headers.set('Authorization', `Bearer ${await publisherToken()}`)
      return await fetch(hubUrl, { method: 'POST', ...init, headers, ...(body === undefined ? {} : { body }) })
    },
    async subscribe(query, init) {
      const stream = await EventStream.open(`${hubUrl}?${query}`, init)
      streams.add(stream)
      return stream
    },
    fetch: (path, init) => fetch(url + path, init),
    async close() {
      for (const stream of streams) stream.close()
      await running.close()
    },
    [Symbol.asyncDispose]: () => hub.close(),
  }
  return hub
}

export function readSettings(settings: Settings): ReturnType<typeof resolve> {
  const problems: string[] = []
  const parsed = schema.parse({
    addr: '127.0.0.1:0',
    transport_url: 'local://local?size=1000',
    jwt_key: testKey,
    allow_anonymous: true,
    heartbeat_interval: '0s',
    shutdown_timeout: '1s',
    ...settings,
  })
  const config = resolve(parsed, (path, message) => problems.push(`${path.join('.')}: ${message}`))
  assert.deepEqual(problems, [])
  return config
}
