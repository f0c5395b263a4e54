import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { describeReadFailure } from '../config/read-failure.ts'
import { HubError } from '../errors.ts'

/**
 * The text of an argument: as it stands, or what `@FILE` or, with `@-`, standard input holds, without its last line break.
 * Names no file in what it throws: a secret may begin with an @.
 * @throws HubError `configuration_invalid` for what cannot be read or is not UTF-8
 */
export async function readTextArgument(option: string, argument: string): Promise<string> {
  if (!argument.startsWith('@')) return argument
  return argument === '@-' ? await readInput(option) : await readText(option, argument.slice(1))
}

/** All of standard input, without its last line break. @throws HubError `configuration_invalid` */
export const readInput = (option: string): Promise<string> => readText(option, undefined)

/** `undefined`: standard input. */
async function readText(option: string, file: string | undefined): Promise<string> {
  const source = file === undefined ? 'standard input' : 'the file after the @'
  const bytes = await (file === undefined ? buffer(process.stdin) : readFile(file)).catch(cause => {
    const start = file === undefined ? '' : `. Relative names start at ${process.cwd()}`
    throw invalid(`${option}: ${source} cannot be read: ${describeReadFailure(cause)}${start}`, cause)
  })
  try {
    // Editors and `echo` end a file with a line break that is no part of the text.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes).replace(/\r?\n$/, '')
  } catch (cause) {
    throw invalid(`${option}: ${source} is not UTF-8`, cause)
  }
}

const invalid = (rule: string, cause: unknown): HubError => new HubError('configuration_invalid', `${rule}.`, { cause })
