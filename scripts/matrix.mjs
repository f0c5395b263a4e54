// A reporter of Node's test runner: which transport keeps which promise. Rows are the tests of the suites that are run for several transports, columns the
// transports, by the names of the files that run them.
import { relative } from 'node:path'

const suites = new Map([
  ['test/transports/contract.ts', 'Contract'],
  ['test/cluster/cluster.ts', 'Cluster'],
])
/** The suite that the files of a folder run. */
const folders = new Map([
  ['transports', 'Contract'],
  ['cluster', 'Cluster'],
])
const transports = ['local', 'bolt', 'redis', 'postgres', 'kafka', 'pulsar']
const kept = '✔'
const skipped = '–'
const broken = '✖'

export default async function* matrix(events) {
  const found = new Set()
  /** By suite, then by test, then by transport. */
  const tables = new Map([...suites.values()].map(suite => [suite, new Map()]))
  /** Why something is skipped, and for which transports. */
  const reasons = new Map()
  /** Transports that are skipped, in which suites. */
  const without = new Map()
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue
    const [, folder, column] = /^test\/(\w+)\/([\w-]+)\.test\.ts$/.exec(pathOf(data.entryFile)) ?? []
    if (!folders.has(folder)) continue
    const isSkipped = data.skip !== undefined
    if (isSkipped) note(reasons, String(data.skip), column)
    const suite = suites.get(pathOf(data.file))
    if (isSkipped && (suite === undefined || data.details.type === 'suite')) {
      note(without, column, folders.get(folder))
      found.add(column)
    }
    if (suite === undefined || data.details.type === 'suite') continue
    found.add(column)
    const table = tables.get(suite)
    if (!table.has(data.name)) table.set(data.name, new Map())
    const row = table.get(data.name)
    row.set(column, worse(row.get(column), type === 'test:fail' ? broken : isSkipped ? skipped : kept))
  }
  if (found.size === 0) return
  const columns = [...new Set([...transports, ...found])].filter(column => found.has(column))
  const width = Math.max(...[...tables.values()].flatMap(table => [...table.keys()]).map(name => name.length)) + 2
  for (const [suite, table] of tables) {
    if (table.size === 0) continue
    yield `\n${suite.padEnd(width)}  ${columns.join('  ')}\n`
    for (const [name, row] of table) {
      const cells = columns.map(column => {
        const cell = row.get(column) ?? (without.get(column)?.has(suite) ? skipped : ' ')
        return cell.padStart(Math.ceil(column.length / 2)).padEnd(column.length)
      })
      yield `${`  ${name}`.padEnd(width)}  ${cells.join('  ').trimEnd()}\n`
    }
  }
  if (reasons.size > 0) yield '\n'
  for (const [reason, skippedFor] of reasons) yield `${skipped} ${[...skippedFor].join(', ')}: ${reason}\n`
}

const pathOf = file => (file === undefined ? '' : relative(process.cwd(), file).replaceAll('\\', '/'))

function note(sets, key, value) {
  sets.set(key, (sets.get(key) ?? new Set()).add(value))
}

/** The same test may run for several versions of a server. */
const worse = (one, other) => [broken, skipped, kept].find(mark => mark === one || mark === other)
