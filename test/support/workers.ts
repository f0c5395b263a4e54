import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { exchange } from './connection.ts'
import { EventStream } from './event-stream.ts'
import { HubProcess, main, root } from './process.ts'
import { publisherToken, subscriberToken, testKey } from './token.ts'

const config = `
addr: 127.0.0.1:0
jwt_key: ${testKey}
allow_anonymous: true
log_format: JSON
`

/** The hub, with a module that is loaded first, in every process. */
export const withHook = (source: string): string[] => [...hooked(source), main, '--config', '{config}']

/** The same, of a hub that soon takes a silent worker for one that hangs. */
export const impatient = (source = ''): string[] => [...hooked(source), join(root, 'test/support/impatient-hub.ts')]

const hooked = (source: string): string[] => [
  process.execPath,
  '--import',
  `data:text/javascript,${encodeURIComponent(source)}`,
]

/** A stream, and the worker that serves it. */
export interface WorkerStream {
  readonly stream: EventStream
  readonly worker: number
  readonly pid: number
}

/** A hub of several processes, as an operator runs it. */
export class WorkersHub implements AsyncDisposable {
  readonly process: HubProcess
  readonly url: string
  readonly hubUrl: string
  #streams = 0

  /** Two workers, unless the lines of mercure.yaml say something else. */
  static async start(lines = '', workers = 2, command?: readonly string[]): Promise<WorkersHub> {
    const end = lines.includes('shutdown_timeout') ? '' : 'shutdown_timeout: 10s\n'
    const process = await HubProcess.start({
      config: `${config}${end}workers: ${workers}\n${lines}\n`,
      ...(command === undefined ? {} : { command }),
    })
    return new WorkersHub(process, await process.url())
  }

  private constructor(process: HubProcess, url: string) {
    this.process = process
    this.url = url
    this.hubUrl = `${url}/.well-known/mercure`
  }

  async subscribe(query: string, init: RequestInit = {}): Promise<WorkerStream> {
    const mark = `mark-${++this.#streams}`
    const stream = await EventStream.open(`${this.hubUrl}?topic=${mark}&${query}`, init)
    const line = await this.logged(({ matchers }) => Array.isArray(matchers) && matchers.includes(`topic:${mark}`))
    return { stream, worker: Number(line.worker), pid: Number(line.pid) }
  }

  /** Opens streams until each worker has one. The first of each, by number. */
  async subscribeAtEach(query: string, init: RequestInit = {}, workers = 2): Promise<WorkerStream[]> {
    const found = new Map<number, WorkerStream>()
    while (found.size < workers) {
      const opened = await this.subscribe(query, init)
      if (found.has(opened.worker)) opened.stream.close()
      else found.set(opened.worker, opened)
    }
    return [...found.values()].sort((a, b) => a.worker - b.worker)
  }

  /** The first line of the log that satisfies the condition, when it has been written. */
  async logged(condition: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
    await this.process.until(() => this.process.log.some(condition))
    return this.process.log.find(condition)!
  }

  /** The id of the update, or `undefined` where there was no answer of 200. */
  async publish(fields: Record<string, string>): Promise<string | undefined> {
    const headers = { Authorization: `Bearer ${await publisherToken()}` }
    try {
      const response = await fetch(this.hubUrl, { method: 'POST', headers, body: new URLSearchParams(fields) })
      const text = await response.text()
      return response.status === 200 ? text : undefined
    } catch {
      return undefined
    }
  }

  /** Reads a path several times, each time over a connection of its own: every worker answers. */
  async readAtEach(path: string): Promise<string[]> {
    const { host } = new URL(this.url)
    const token = await subscriberToken(['*'])
    const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`
    const bodies: string[] = []
    for (let i = 0; i < 4; i++) {
      const { status, body } = await exchange(this.url, request)
      assert.equal(status, 200, body)
      bodies.push(body)
    }
    return bodies
  }

  /** The topics of the subscriptions that a document lists, sorted, without the marks. */
  async listedAtEach(): Promise<string[][]> {
    const documents = await this.readAtEach('/.well-known/mercure/subscriptions')
    return documents.map(document =>
      (JSON.parse(document).subscriptions as { topic: string }[])
        .map(({ topic }) => topic)
        .filter(topic => !topic.startsWith('mark-'))
        .sort(),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The workers end by themselves when the primary process has gone.
    await this.process[Symbol.asyncDispose]()
  }
}

/** Resolves when nobody listens at an address any more. */
export async function refused(url: string): Promise<void> {
  const { hostname, port } = new URL(url)
  for (;;) {
    const socket: Socket = connect(Number(port), hostname)
    const answer = await new Promise(resolve => socket.once('connect', () => resolve('open')).once('error', resolve))
    socket.destroy()
    if (answer !== 'open') return
  }
}
