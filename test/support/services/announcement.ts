import type { ChildProcess } from 'node:child_process'
import { EventEmitter, once } from 'node:events'

/** Resolves when a server has written, to whichever output is read, what says that it is ready; rejects with its last words when it ends before. */
export async function announced(child: ChildProcess, isReady: RegExp, name: string): Promise<void> {
  const output = new EventEmitter()
  let text = ''
  const written = child.stdout ?? child.stderr
  written!.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-10_000)
    output.emit('change')
  })
  child.once('exit', () => output.emit('change'))
  while (!isReady.test(text)) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${name} has ended: ${text}`)
    await once(output, 'change')
  }
}
