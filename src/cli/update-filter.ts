import { parseDuration } from '../config/values/duration.ts'
import { HubError } from '../errors.ts'
import { createMatcherCompiler } from '../protocol/matcher.ts'
import type { ExportedUpdate } from './exported-update.ts'

export interface FilterOptions {
  /** Topics and URI Templates. */
  readonly topic: readonly string[]
  readonly since?: string
  readonly until?: string
}

/** Tells whether an update is wanted. */
export type UpdateFilter = (update: ExportedUpdate) => boolean

/**
 * Makes a filter of what the command line says; `undefined`: it wants everything. An update whose time is not known is at no time.
 * @throws HubError `configuration_invalid`
 */
export function createUpdateFilter({ topic, since, until }: FilterOptions, nowMs: number): UpdateFilter | undefined {
  if (topic.length === 0 && since === undefined && until === undefined) return undefined
  const compile = createMatcherCompiler()
  const matchers = topic.map(pattern => compile('topic', pattern))
  const fromMs = since === undefined ? undefined : readTime('--since', since, nowMs)
  const beforeMs = until === undefined ? undefined : readTime('--until', until, nowMs)
  return ({ update, timeMs }) =>
    (fromMs === undefined || (timeMs !== undefined && timeMs >= fromMs)) &&
    (beforeMs === undefined || (timeMs !== undefined && timeMs < beforeMs)) &&
    (matchers.length === 0 || update.topics.some(topic => matchers.some(matcher => matcher.matches(topic))))
}

function readTime(option: string, text: string, nowMs: number): number {
  const time = /^\d{4}-\d\d-\d\d(T|$)/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(time)) return time
  try {
    return nowMs - parseDuration(text)
  } catch {
    throw new HubError(
      'configuration_invalid',
      `${option}: ${JSON.stringify(text)} is neither a time, like 2026-11-21T12:00:00Z, nor how long ago, like 90m or 24h.`,
    )
  }
}
