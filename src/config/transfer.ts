import type { Config } from './config.ts'

/** A configuration as text, for another process of the same hub: it holds the secrets. */
export const packConfig = (config: Config): string => JSON.stringify(mark(config))

export const unpackConfig = (text: string): Config => JSON.parse(text, unmark)

/** URLs are the one kind of value that JSON would bring back as another. */
function mark(value: unknown): unknown {
  if (value instanceof URL) return { [urlMark]: value.href }
  if (Array.isArray(value)) return value.map(mark)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, mark(member)]))
}

const unmark = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && urlMark in value ? new URL(String(value[urlMark])) : value

const urlMark = '\0url'
