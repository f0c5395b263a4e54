import type * as z from 'zod'
import type { Config } from './config.ts'
import { describeIssue } from './fields.ts'
import { ConfigurationError, formatPath, type Path, type Problem, type Report } from './problem.ts'
import { type ResolveOptions, resolve } from './resolve.ts'
import { type Key, type Settings, schema } from './schema.ts'
import type { Sources } from './sources/layer.ts'
import { readFiles } from './sources/secret-files.ts'

/**
 * What sources say, with the files that they name.
 * @param cwd where relative names of files start, unless the source knows better
 * @param found problems that there are already
 * @param options `needed`: problems of other keys are passed over
 * @throws ConfigurationError with every problem and its place
 */
export async function readConfig(
  sources: Sources,
  cwd: string,
  found: readonly Problem[],
  options: ResolveOptions & { readonly needed?: readonly Key[] | undefined } = {},
): Promise<{ readonly config: Config; readonly settings: Settings }> {
  const problems = [...found]
  const settings = readSettings(sources, problems)
  const report: Report = (path, message, causes = []) => {
    const follows = causes.some(key => problems.some(problem => problem.key?.split(/[.[]/)[0] === key))
    if (!follows) problems.push({ key: formatPath(path), where: sources.where(path), message })
  }
  await readFiles(settings, key => sources.directory(key) ?? cwd, report)
  const config = resolve(settings, report, options)
  const { needed } = options
  const matters = ({ key }: Problem) => needed === undefined || key === null || needed.some(one => one === key)
  const serious = problems.filter(matters)
  if (serious.length > 0) throw new ConfigurationError(serious.toSorted(byPlace))
  return { config, settings }
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
