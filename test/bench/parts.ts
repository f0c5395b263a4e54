import { backends } from './backends.ts'
import type { Measure } from './row.ts'
import { measureBackends } from './rows/backends.ts'
import { connections } from './rows/connections.ts'
import { endurance } from './rows/endurance.ts'
import { fanOut } from './rows/fan-out.ts'
import { log } from './rows/log.ts'
import { matching } from './rows/matching.ts'
import { publishing } from './rows/publishing.ts'
import { slowReaders } from './rows/slow-readers.ts'
import { topics } from './rows/topics.ts'

/** A table of the page, and what measures its rows. */
export type Part = Readonly<Record<string, Measure>>

export const parts: Readonly<Record<string, Part>> = {
  hub: {
    'fan-out': fanOut,
    topics,
    matching,
    publish: publishing,
    log,
    connections,
    'slow-readers': slowReaders,
    endurance,
  },
  backends: Object.fromEntries(
    Object.entries(Object.groupBy(backends, ({ name }) => name)).map(([name, of]) => [name, measureBackends(of!)]),
  ),
}

/** What the names of parts and rows choose of each part; no name: all. @throws Error for one that there is not */
export function select(names: readonly string[], from = parts): Map<string, Part> {
  const unknown = names.find(
    name => !Object.hasOwn(from, name) && !Object.values(from).some(of => Object.hasOwn(of, name)),
  )
  if (unknown !== undefined) throw new Error(`There are no rows "${unknown}".`)
  const selected = new Map<string, Part>()
  for (const [part, rows] of Object.entries(from)) {
    const isWhole = names.length === 0 || names.includes(part)
    const chosen = Object.entries(rows).filter(([name]) => isWhole || names.includes(name))
    if (chosen.length > 0) selected.set(part, Object.fromEntries(chosen))
  }
  return selected
}
