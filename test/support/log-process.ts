import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { on, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Update } from '../../src/protocol/update.ts'

/** What the process is asked for: updates are published at once. */
export type Request = { readonly publish: readonly (Partial<Update> & { id: string })[] } | 'ready' | 'close'
/** The ids that it has delivered so far, or why it could not. */
export type Answer = { readonly delivered: readonly string[] } | { readonly code: string; readonly message: string }

const program = fileURLToPath(new URL('log-program.ts', import.meta.url))

/** A log in a process of its own, run by a program that limits or watches it. */
export class LogProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #answers: AsyncIterator<Answer[]>
  #printed = ''

  /** `runner`: a command and its arguments, which the process's command is appended to. */
  static async start([command, ...args]: readonly [string, ...string[]], url: string): Promise<LogProcess> {
    const child = spawn(command, [...args, process.execPath, program, url], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    })
    const log = new LogProcess(child)
    await log.#answer()
    return log
  }

  private constructor(child: ChildProcess) {
    this.#child = child
    child.stderr!.setEncoding('utf8').on('data', text => {
      this.#printed += text
    })
    this.#answers = on(child, 'message', { close: ['disconnect'] })
  }

  /** What it wrote to standard error: all of it once the process has ended. */
  get printed(): string {
    return this.#printed
  }

  get pid(): number {
    return this.#child.pid!
  }

  async ask(request: Request): Promise<Answer> {
    this.#child.send(request)
    return await this.#answer()
  }

  async #answer(): Promise<Answer> {
    const { value, done } = await this.#answers.next()
    assert.notEqual(done, true, 'the process has ended')
    return value[0]!
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, 'close')
    await this.ask('close')
    await exited
  }
}
