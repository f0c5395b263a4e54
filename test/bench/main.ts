import { rmSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Bench } from './bench.ts'
import { describeMachine } from './machine.ts'
import { replaceFigures, requirePlace } from './page.ts'
import { type Part, parts, select } from './parts.ts'
import { drawPlot } from './plot.ts'
import { plotSubscribers, plotTopics } from './plots.ts'
import { measureRestart } from './restart.ts'
import type { Row } from './row.ts'
import { soak } from './soak/soak.ts'
import { printTable, writeMarkdown } from './table.ts'

const usage = `npm run bench -- [ROWS…] [--quick] [--write DIRECTORY]
npm run bench -- soak [--duration 10m]
npm run bench -- restart

Measures the hub beside a floor, in one run on one machine: absolute figures drift with the machine, ratios are what to compare.
ROWS: ${Object.entries(parts)
  .map(([part, rows]) => `${part} (${Object.keys(rows).join(', ')})`)
  .join(', ')}; default: all of them.
--quick            a tenth of the work, once: to see that it runs; figures are not to be quoted
--write DIRECTORY  write the tables into DIRECTORY/performance.md, of whole parts (${Object.keys(parts).join(', ')}), and the plots beside it
soak               churn, slow and stalled readers, 32 publishers: is anything lost, does memory grow?
restart            a rolling restart of three nodes on Redis under 5,000 clients: how many come back in a second?`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    write: { type: 'string' },
    duration: { type: 'string', default: '10m' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  console.log(usage)
  process.exit(0)
}
const selected = requireSelected(positionals.filter(name => name !== 'soak' && name !== 'restart'))
if (values.write !== undefined && positionals.some(name => !Object.hasOwn(parts, name))) {
  console.log(`--write takes whole tables: ${Object.keys(parts).join(', ')}.`)
  process.exit(1)
}
if (positionals.includes('restart')) await measureRestart()
else if (positionals.includes('soak')) process.exitCode = (await soak(values.duration)) ? 0 : 1
else await runBench()

function requireSelected(names: readonly string[]): ReturnType<typeof select> {
  try {
    return select(names)
  } catch (error) {
    console.log(`${(error as Error).message}\n\n${usage}`)
    process.exit(1)
  }
}

async function runBench(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'talaria-bench-'))
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))
  const bench = await Bench.open(directory, values.quick)
  const conditions = `${describeMachine()}. Floor: ${bench.floorName}. ${bench.runs === 1 ? 'One run.' : `Medians of ${bench.runs} runs.`}`
  console.log(conditions)
  const { write } = values
  if (write !== undefined) for (const part of selected.keys()) await requirePlace(write, part)
  for (const [name, part] of selected) {
    const rows = await measure(bench, part)
    if (write === undefined) continue
    if (name === 'hub') await writePlots(bench, write)
    await replaceFigures(write, name, `${conditions}\n\n${writeMarkdown(rows)}`)
    console.log(`\nWritten into ${join(write, 'performance.md')}: ${name}`)
  }
}

async function measure(bench: Bench, part: Part): Promise<Row[]> {
  const rows: Row[] = []
  for (const [name, measureRows] of Object.entries(part)) {
    console.log(`\n${name} …`)
    const measured = await measureRows(bench)
    console.log(printTable(measured))
    rows.push(...measured)
  }
  return rows
}

async function writePlots(bench: Bench, directory: string): Promise<void> {
  const plots = {
    'cost-by-subscribers.svg': await plotSubscribers(bench),
    'cost-by-topics.svg': await plotTopics(bench),
  }
  for (const [file, plot] of Object.entries(plots)) await writeFile(join(directory, file), drawPlot(plot))
}
