import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hubPath } from '../../../src/protocol/topic.ts'
import type { Certificate } from '../certificate.ts'
import { freePort } from '../services/free-port.ts'
import { tether } from '../services/tether.ts'

/** Where a proxy is to listen, and what it finds there. */
export interface Site {
  readonly port: number
  /** `127.0.0.1:PORT` of the hub. */
  readonly hub: string
  readonly certificate: Certificate
  /** Its own, for whatever it writes. */
  readonly directory: string
}

/** A program that stands in front of hubs. */
export interface ProxyProgram {
  readonly name: string
  /** The language of its snippet in Markdown. */
  readonly language: string
  /** Why it does not run here; `false`: it does. */
  readonly missing: string | false
  /** Makes a whole configuration that works here of a snippet. */
  configure(snippet: string, site: Site): string
  /** The command that serves a configuration in the foreground. */
  command(file: string, site: Site): readonly [program: string, ...args: string[]]
  /** Tells the process to read its configuration again; resolves when it has. */
  reload(proxy: ReverseProxy): Promise<void>
}

/** A real proxy in front of a hub, as a snippet of the documentation configures it. */
export class ReverseProxy implements AsyncDisposable {
  /** `https://127.0.0.1:PORT` */
  readonly url: string
  readonly file: string
  readonly child: ChildProcess
  readonly #site: Site
  readonly #program: ProxyProgram
  readonly #written = new EventEmitter().setMaxListeners(0)
  #log = ''

  /** Resolves when requests reach the hub. */
  static async start(
    program: ProxyProgram,
    snippet: string,
    hub: { readonly url: string },
    certificate: Certificate,
  ): Promise<ReverseProxy> {
    const directory = await mkdtemp(join(tmpdir(), `talaria-${program.name}-`))
    const site = { port: await freePort(), hub: new URL(hub.url).host, certificate, directory }
    const file = join(directory, 'configuration')
    await writeFile(file, program.configure(snippet, site))
    const proxy = new ReverseProxy(program, site, file)
    try {
      await proxy.#answers()
    } catch (error) {
      await proxy[Symbol.asyncDispose]()
      throw error
    }
    return proxy
  }

  private constructor(program: ProxyProgram, site: Site, file: string) {
    const [command, ...args] = program.command(file, site)
    const { directory } = site
    this.url = `https://127.0.0.1:${site.port}`
    this.file = file
    this.#program = program
    this.#site = site
    this.child = spawn(command, args, {
      cwd: directory,
      env: { ...process.env, HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    tether(this.child, true)
    for (const output of [this.child.stdout!, this.child.stderr!]) {
      output.setEncoding('utf8').on('data', (text: string) => {
        this.#log += text
        this.#written.emit('change')
      })
    }
    this.child.once('close', () => this.#written.emit('change'))
  }

  get hubUrl(): string {
    return this.url + hubPath
  }

  reload(): Promise<void> {
    return this.#program.reload(this)
  }

  /** Sends a signal to it; resolves when what it has written since matches, and fails when it ends first. */
  async signal(signal: NodeJS.Signals, answer: RegExp): Promise<void> {
    const from = this.#log.length
    this.child.kill(signal)
    while (!answer.test(this.#log.slice(from)) && this.#isRunning) await once(this.#written, 'change')
    assert.match(this.#log.slice(from), answer)
  }

  /** Asked until it answers for the hub: a HEAD there is no subscription. */
  async #answers(): Promise<void> {
    const isUp = () =>
      fetch(`${this.hubUrl}?topic=a`, { method: 'HEAD' }).then(
        ({ ok }) => ok,
        () => false,
      )
    while (!(await isUp())) assert.ok(this.#isRunning, `${this.#program.name} has ended: ${this.#log}`)
  }

  get #isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isRunning) {
      const ended = once(this.child, 'close')
      // Asked to end, some wait for every stream; and their workers would outlive them.
      process.kill(-this.child.pid!, 'SIGKILL')
      await ended
    }
    await rm(this.#site.directory, { recursive: true, force: true })
  }
}

/** Replaces what a snippet must have, everywhere. */
export function put(text: string, replacements: Readonly<Record<string, string>>): string {
  for (const [what, value] of Object.entries(replacements)) {
    assert.ok(text.includes(what), `the snippet has no "${what}": ${text}`)
    text = text.replaceAll(what, value)
  }
  return text
}
