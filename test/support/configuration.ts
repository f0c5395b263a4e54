import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Command } from 'commander'
import { type Loaded, loadConfig } from '../../src/config/load.ts'
import { ConfigurationError } from '../../src/config/problem.ts'
import { addConfigOptions, readFlags } from '../../src/config/sources/flags.ts'
import type { Environment } from '../../src/config/sources/image.ts'

/** What a configuration is loaded from; names of files are relative to the working directory. */
export interface Given {
  /** The text of `mercure.yaml`. */
  readonly yaml?: string
  readonly env?: Environment
  readonly args?: readonly string[]
  readonly files?: Readonly<Record<string, string>>
  readonly playground?: boolean
  /** Receives what the command line says of its arguments. */
  readonly said?: string[]
}

/** Loads a configuration from real files in a directory of its own, whose name is taken out of messages. */
export async function load({
  yaml,
  env = {},
  args = [],
  files = {},
  playground = false,
  said = [],
}: Given): Promise<Loaded> {
  const cwd = await mkdtemp(join(tmpdir(), 'configuration-'))
  try {
    const all = yaml === undefined ? files : { ...files, 'mercure.yaml': yaml }
    for (const [name, text] of Object.entries(all)) {
      await mkdir(dirname(join(cwd, name)), { recursive: true })
      await writeFile(join(cwd, name), text)
    }
    const command = addConfigOptions(new Command())
      .exitOverride()
      .configureOutput({ writeErr: text => said.push(text) })
    command.parse(args, { from: 'user' })
    // A home of its own: what the machine has in ~/.config must not count.
    return await loadConfig({ flags: readFlags(command), env: { HOME: cwd, ...env }, cwd, playground })
  } finally {
    await rm(cwd, { recursive: true })
  }
}

/** The lines of the problems that a configuration is refused for; none: it is accepted. */
export async function problemsOf(given: Given): Promise<string[]> {
  try {
    await load(given)
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message.split('\n  ').slice(1)
    throw error
  }
}
