import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** A program of the bench in a process of its own: each line it is sent is answered by one line of JSON. It ends with its standard input. */
export class Program implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #name: string
  readonly #lines: AsyncIterator<string>
  #problem: Error | undefined

  constructor([file, ...args]: readonly [string, ...string[]], env: Readonly<Record<string, string>> = {}) {
    this.#name = [file, ...args].join(' ')
    this.#child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...env } })
    this.#child.on('error', error => {
      this.#problem = error
    })
    // A program that has ended is noticed at its answer, which does not come.
    this.#child.stdin!.on('error', () => {})
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]()
  }

  /** What it says next. @throws Error when it has ended instead */
  async next<T>(): Promise<T> {
    const { value, done } = await this.#lines.next()
    if (done) throw new Error(`${this.#name} has ended without an answer.`, { cause: this.#problem })
    return JSON.parse(value)
  }

  ask<T>(line: string): Promise<T> {
    this.#child.stdin!.write(`${line}\n`)
    return this.next<T>()
  }

  async close(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#child
    if (pid === undefined || exitCode !== null || signalCode !== null) return
    this.#child.stdin!.end()
    await once(this.#child, 'exit')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
