import { homedir } from 'node:os'
import { dirname, join, resolve as resolvePath } from 'node:path'
import type * as z from 'zod'
import { HubError } from '../errors.ts'
import type { Config } from './config.ts'
import { type Environment, readEnvironment } from './environment.ts'
import { describeIssue } from './fields.ts'
import { type ConfigFile, readConfigFile, searchPath } from './file.ts'
import { type Flags, noFlags } from './flags.ts'
import { type Layer, merge } from './layer.ts'
import { formatPath, formatProblem, type Path, type Problem, type Report } from './problem.ts'
import { resolve } from './resolve.ts'
import { type Settings, schema } from './schema.ts'
import { readFiles } from './secret-files.ts'

export interface Loaded {
  readonly config: Config
  /** Sentences for the operator: what is accepted and will not do what it seems to. */
  readonly warnings: readonly string[]
  /** The file that was read; `null`: none. */
  readonly file: string | null
}

/**
 * Reads the configuration from its sources, the stronger over the weaker: defaults, file, environment, flags.
 * @throws HubError `configuration_invalid`: every problem on a line of its own, with its place; nothing of it shows a secret
 */
export async function loadConfig(options: { flags?: Flags; env?: Environment; cwd?: string } = {}): Promise<Loaded> {
  const { flags = noFlags, env = process.env, cwd = process.cwd() } = options
  const problems: Problem[] = []
  const file = await findFile(flags.file, env, cwd, problems)
  const environment = readEnvironment(env, cwd)
  problems.push(...(file?.problems ?? []), ...environment.problems)
  const sources = merge([...(file === null ? [] : [file]), ...environment.layers, flags.layer])

  const parsed = schema.safeParse(sources.values, { error: describeIssue })
  if (!parsed.success) problems.push(...parsed.error.issues.flatMap(issue => describe(issue, sources)))
  if (!parsed.success || file?.unreadable === true) throw refuse(problems, file)

  const report: Report = (path, message, causes = []) => {
    const follows = [String(path[0]), ...causes].some(key =>
      problems.some(problem => problem.key?.split(/[.[]/)[0] === key),
    )
    if (!follows || causes.length === 0)
      problems.push({ key: formatPath(path), where: sources.where(path) || null, message })
  }
  const settings: Settings = parsed.data
  await readFiles(settings, file === null ? cwd : dirname(resolvePath(cwd, file.name)), report)
  const config = resolve(settings, report)
  if (problems.length > 0) throw refuse(problems, file)
  return { config, warnings: [...environment.warnings, ...warningsOf(settings)], file: file?.name ?? null }
}

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

/** The issue of unknown keys speaks of several: a problem for each. */
function describe(issue: z.core.$ZodIssue, sources: Layer): Problem[] {
  const at = (path: Path, message: string) => ({ key: formatPath(path), where: sources.where(path) || null, message })
  const path = issue.path as (string | number)[]
  if (issue.code !== 'unrecognized_keys') return [at(path, issue.message)]
  const sentences = issue.message.split('\n')
  return issue.keys.map((key, index) => at([...path, key], sentences[index] ?? 'there is no such key.'))
}

function refuse(problems: readonly Problem[], file: ConfigFile | null): HubError {
  const source = file === null ? '' : ` in ${file.name} or what overrides it`
  const lines = problems.map(problem => `  ${formatProblem(problem)}`)
  return new HubError('configuration_invalid', [`The configuration cannot be used${source}:`, ...lines].join('\n'))
}

function warningsOf(settings: Settings): string[] {
  const warnings: string[] = []
  if (settings.license !== null) warnings.push('license is not needed: every transport is free.')
  if (settings.compress) warnings.push('compress has no effect in this version: streams are sent uncompressed.')
  if (settings.issuers.length > 0 && settings.resource_identifier === null && settings.public_urls.length === 0) {
    warnings.push(
      "issuers are set, but neither resource_identifier nor public_urls: a token's aud is compared with the Host header that the client sends.",
    )
  }
  return warnings
}
