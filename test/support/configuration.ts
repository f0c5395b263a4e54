import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type Loaded, loadConfig } from '../../src/config/load.ts'
import { HubError } from '../../src/errors.ts'

/** The sentence with which an action refuses a configuration; fails where it does not. */
export function refusal(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    return sentenceOf(error)
  }
  assert.fail('it was accepted')
}

function sentenceOf(error: unknown): string {
  if (!(error instanceof HubError)) throw error
  assert.equal(error.code, 'configuration_invalid')
  return error.message
}

/** A directory with these files, which goes away with the test that asked for it. */
export async function directoryWith(
  test: { after(action: () => Promise<void>): void },
  files: Readonly<Record<string, string>> = {},
): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'talaria-config-'))
  test.after(() => rm(directory, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true })
    await writeFile(join(directory, name), text)
  }
  return directory
}

/** Reads a configuration from a directory; nothing of the machine's own environment comes in. */
export const loadIn = (cwd: string, options: Omit<Parameters<typeof loadConfig>[0] & {}, 'cwd'> = {}): Promise<Loaded> =>
  loadConfig({ cwd, ...options, env: { HOME: cwd, ...options.env } })

/** What `loadIn` refuses, line by line; fails where it accepts. */
export async function refusalsIn(...parameters: Parameters<typeof loadIn>): Promise<string[]> {
  const message = await loadIn(...parameters).then(() => assert.fail('it was accepted'), sentenceOf)
  const [head = '', ...lines] = message.split('\n')
  assert.match(head, /^The configuration has (a problem|\d+ problems):$/)
  return lines.map(line => line.trim())
}
