import type { Readable } from 'node:stream'

/** Calls back with each line that a process writes, whole, with its end. */
export function readLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()!
    for (const line of lines) onLine(`${line}\n`)
  })
  stream.on('end', () => {
    if (rest !== '') onLine(`${rest}\n`)
  })
}
