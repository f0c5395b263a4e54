import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))
export const main = join(root, 'src/main.ts')

export interface ProcessOptions {
  /** The program and its arguments; default: this Node with the hub's own. `{config}` stands for the path of the configuration. */
  readonly command?: readonly string[]
  /** Lines of mercure.yaml. */
  readonly config?: string
  readonly env?: Readonly<Record<string, string>>
}

/** A hub in a process of its own, as an operator runs it: nothing of this process's environment reaches it. */
export class HubProcess implements AsyncDisposable {
  stdout = ''
  stderr = ''
  readonly child: ChildProcess
  readonly #directory: string
  readonly #changed = new EventEmitter().setMaxListeners(0)
  #ended: { code: number | null; signal: NodeJS.Signals | null } | undefined

  static async start(options: ProcessOptions = {}): Promise<HubProcess> {
    const { command = [process.execPath, main, '--config', '{config}'], config = '', env = {} } = options
    const directory = await mkdtemp(join(tmpdir(), 'talaria-process-'))
    const file = join(directory, 'mercure.yaml')
    await writeFile(file, config)
    const [program = '', ...args] = command.map(part => part.replaceAll('{config}', file))
    const child = spawn(program, args, {
      cwd: directory,
      env: { PATH: process.env.PATH, HOME: directory, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return new HubProcess(child, directory)
  }

  private constructor(child: ChildProcess, directory: string) {
    this.child = child
    this.#directory = directory
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]!.setEncoding('utf8').on('data', (text: string) => {
        this[name] += text
        this.#changed.emit('change')
      })
    }
    child.on('close', (code, signal) => {
      this.#ended = { code, signal }
      this.#changed.emit('change')
    })
  }

  /** What it has logged as JSON, up to its last whole line. */
  get log(): Record<string, unknown>[] {
    return this.stdout
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line) as Record<string, unknown>)
  }

  /** The messages of the log. */
  get messages(): unknown[] {
    return this.log.map(({ msg }) => msg)
  }

  /** Where it listens, once it does. */
  async url(): Promise<string> {
    await this.until(() => /listening on http\S+/.test(this.stdout))
    return /listening on (http[^\s"]+)/.exec(this.stdout)![1]!
  }

  /** Resolves when the condition holds; fails when the process ends first. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition() && this.#ended === undefined) await once(this.#changed, 'change')
    assert.ok(condition(), `the process has ended: ${this.stdout}${this.stderr}`)
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Resolves with its exit code, or the signal that it died of, when it has ended and all its output is here. */
  async exit(): Promise<number | NodeJS.Signals | null> {
    while (this.#ended === undefined) await once(this.#changed, 'change')
    return this.#ended.code ?? this.#ended.signal
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended === undefined) this.signal('SIGKILL')
    await this.exit()
    await rm(this.#directory, { recursive: true })
  }
}
