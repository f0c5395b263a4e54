import type { Writable } from 'node:stream'
import { HubError } from '../errors.ts'

/**
 * Writes text at the target's pace, and ends in silence when its reader, like `head`, has enough.
 * @throws HubError `configuration_invalid` for a target that takes no more, like a file on a full disk
 */
export async function writeOut(target: Writable, texts: Iterable<string> | AsyncIterable<string>): Promise<void> {
  // What is said to the write is emitted as well, and ends the process if nobody listens.
  target.once('error', () => {})
  try {
    for await (const text of texts) await write(target, text)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'EPIPE') return
    if (cause instanceof HubError || code === undefined) throw cause
    throw new HubError('configuration_invalid', `Standard output cannot be written: ${message}.`, { cause })
  }
}

const write = (target: Writable, text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    target.write(text, error => (error ? reject(error) : resolve()))
  })
