import assert from 'node:assert/strict'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { historyCommand } from '../../src/cli/history.ts'
import type { Update } from '../../src/protocol/update.ts'

/** Runs `talaria history` as `main.ts` does, without a process of its own; gives what it prints. */
export async function runHistory(args: readonly string[], input: string | Uint8Array = ''): Promise<string> {
  const stdout = new PassThrough()
  const stderr = new PassThrough()
  const output = text(stdout)
  try {
    await historyCommand({ stdin: Readable.from([input]), stdout, stderr }).parseAsync(args, { from: 'user' })
  } finally {
    stdout.end()
    stderr.end()
  }
  assert.equal(await text(stderr), '')
  return await output
}

export const linesOf = (output: string): string[] => output.split('\n').slice(0, -1)
export const idsOf = (output: string): string[] => linesOf(output).map(line => (JSON.parse(line) as Update).id)
