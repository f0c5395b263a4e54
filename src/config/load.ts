import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Config } from './config.ts'
import { ConfigurationError, type Problem } from './problem.ts'
import { readConfig } from './read.ts'
import type { Key } from './schema.ts'
import { readEnvironment } from './sources/environment.ts'
import { type ConfigFile, readConfigFile, searchPath } from './sources/file.ts'
import { type Flags, noFlags } from './sources/flags.ts'
import { asksForTls, type Environment, serverName } from './sources/image.ts'
import { merge } from './sources/layer.ts'
import { warningsOf } from './warnings.ts'

export interface Loaded {
  readonly config: Config
  /** Sentences for the operator: what is accepted and may not do what it seems to, or is a risk. */
  readonly warnings: readonly string[]
  /** The file that was read; `null`: none. */
  readonly file: string | null
  /** Where each key stands that is set: `mercure.yaml:12`, `environment variable ADDR`, `--addr`. */
  readonly sources: Readonly<Record<string, string>>
}

export interface LoadOptions {
  readonly flags?: Flags
  readonly env?: Environment
  readonly cwd?: string
  /** What the directive `playground` says holds where nothing in the environment says otherwise. */
  readonly playground?: boolean
  /** Who asks needs these keys alone: problems of others are passed over, and what they give is not to be used. */
  readonly needed?: readonly Key[]
}

/**
 * Reads the configuration from its sources, the stronger over the weaker: defaults, file, environment, flags.
 * @throws ConfigurationError with every problem and its place; nothing of it shows a secret
 */
export async function loadConfig(options: LoadOptions = {}): Promise<Loaded> {
  const { flags = noFlags, env = process.env, cwd = process.cwd(), playground = false, needed } = options
  const problems: Problem[] = []
  const file = await findFile(flags.file, env, cwd, problems)
  const environment = readEnvironment(env, cwd, playground)
  problems.push(...(file?.problems ?? []), ...environment.problems)
  const unread = file === null ? flags.file !== undefined : file.unreadable
  if (unread) throw new ConfigurationError(problems) // what the file says is not known: more would be guesses

  const sources = merge([...(file === null ? [] : [file]), ...environment.layers, flags.layer])
  const { config, settings } = await readConfig(sources, cwd, problems, { needed })
  const warnings = [...environment.warnings, ...warningsOf(config, settings)]
  if (config.tls === null && asksForTls(env) && sources.where(['addr']) === serverName) warnings.push(noCertificate)
  const set = Object.keys(sources.values).map(key => [key, sources.where([key]) ?? ''])
  return { config, warnings, file: file?.name ?? null, sources: Object.fromEntries(set) }
}

const noCertificate =
  'SERVER_NAME asks for HTTPS, but this hub fetches no certificates: it speaks plain HTTP. Set cert_file and key_file, or put a proxy in front that ends TLS.'

async function findFile(
  asked: string | undefined,
  env: Environment,
  cwd: string,
  problems: Problem[],
): Promise<ConfigFile | null> {
  if (asked !== undefined) {
    const file = await readConfigFile(asked, cwd)
    if (file === null) problems.push({ key: null, where: '--config', message: `there is no file ${asked}.` })
    return file
  }
  for (const path of searchPath(cwd, env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config'))) {
    const file = await readConfigFile(path, cwd)
    if (file !== null) return file
  }
  return null
}
