import { homedir } from 'node:os'
import { join } from 'node:path'
import type * as z from 'zod'
import type { Config } from './config.ts'
import { describeIssue } from './fields.ts'
import { ConfigurationError, formatPath, type Path, type Problem, type Report } from './problem.ts'
import { resolve } from './resolve.ts'
import { type Settings, schema } from './schema.ts'
import { readEnvironment } from './sources/environment.ts'
import { type ConfigFile, readConfigFile, searchPath } from './sources/file.ts'
import { type Flags, noFlags } from './sources/flags.ts'
import { asksForTls, type Environment, serverName } from './sources/image.ts'
import { merge, type Sources } from './sources/layer.ts'
import { readFiles } from './sources/secret-files.ts'
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

/**
 * Reads the configuration from its sources, the stronger over the weaker: defaults, file, environment, flags.
 * @throws ConfigurationError with every problem and its place; nothing of it shows a secret
 */
export async function loadConfig(options: { flags?: Flags; env?: Environment; cwd?: string } = {}): Promise<Loaded> {
  const { flags = noFlags, env = process.env, cwd = process.cwd() } = options
  const problems: Problem[] = []
  const file = await findFile(flags.file, env, cwd, problems)
  const environment = readEnvironment(env, cwd)
  problems.push(...(file?.problems ?? []), ...environment.problems)
  const unread = file === null ? flags.file !== undefined : file.unreadable
  if (unread) throw new ConfigurationError(problems) // what the file says is not known: more would be guesses

  const sources = merge([...(file === null ? [] : [file]), ...environment.layers, flags.layer])
  const settings = readSettings(sources, problems)
  const report: Report = (path, message, causes = []) => {
    const follows = causes.some(key => problems.some(problem => problem.key?.split(/[.[]/)[0] === key))
    if (!follows) problems.push({ key: formatPath(path), where: sources.where(path), message })
  }
  await readFiles(settings, key => sources.directory(key) ?? cwd, report)
  const config = resolve(settings, report)
  if (problems.length > 0) throw new ConfigurationError(problems.toSorted(byPlace))

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

/** Reads every key by itself. One that cannot be read has its default in what is returned, so that the others can still be looked at. */
function readSettings({ values, where }: Sources, problems: Problem[]): Settings {
  const parsed = schema.safeParse(values, { error: describeIssue })
  if (parsed.success) return parsed.data
  const at = (path: Path, message: string) => ({ key: formatPath(path), where: where(path), message })
  const bad = new Set<string>()
  for (const issue of parsed.error.issues) {
    for (const { path, message } of separate(issue)) {
      problems.push(at(path, message))
      bad.add(String(path[0]))
    }
  }
  return schema.parse(Object.fromEntries(Object.entries(values).filter(([key]) => !bad.has(key))))
}

/** The issue of unknown keys speaks of several, on a line each. */
function separate(issue: z.core.$ZodIssue): { path: Path; message: string }[] {
  const path = issue.path as (string | number)[]
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }]
  const sentences = issue.message.split('\n')
  return issue.keys.map((key, index) => ({
    path: [...path, key],
    message: sentences[index] ?? 'there is no such key.',
  }))
}

/** In the order of the file's lines, then what stands elsewhere, then what stands nowhere. */
const byPlace = (a: Problem, b: Problem): number =>
  Number(a.where === null) - Number(b.where === null) ||
  (a.where ?? '').localeCompare(b.where ?? '', 'en', { numeric: true })
