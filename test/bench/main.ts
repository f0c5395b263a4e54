import { rmSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Bench } from './bench.ts'
import { describeMachine } from './machine.ts'
import { replaceFigures, requirePlace } from './page.ts'
import { drawPlot } from './plot.ts'
import { plotSubscribers, plotTopics } from './plots.ts'
import type { Measure, Row } from './row.ts'
import { connections } from './rows/connections.ts'
import { endurance } from './rows/endurance.ts'
import { fanOut } from './rows/fan-out.ts'
import { log } from './rows/log.ts'
import { matching } from './rows/matching.ts'
import { publishing } from './rows/publishing.ts'
import { slowReaders } from './rows/slow-readers.ts'
import { topics } from './rows/topics.ts'
import { soak } from './soak/soak.ts'
import { printTable, writeMarkdown } from './table.ts'

const measures: Readonly<Record<string, Measure>> = {
  'fan-out': fanOut,
  topics,
  matching,
  publish: publishing,
  log,
  connections,
  'slow-readers': slowReaders,
  endurance,
}

const usage = `npm run bench -- [ROWS…] [--quick] [--write DIRECTORY]
npm run bench -- soak [--duration 10m]

Measures the hub beside a floor, in one run on one machine: absolute figures drift with the machine, ratios are what to compare.
ROWS: ${Object.keys(measures).join(', ')}; default: all of them.
--quick            a tenth of the work, once: to see that it runs; figures are not to be quoted
--write DIRECTORY  write the table into DIRECTORY/performance.md and the plots beside it
soak               churn, slow and stalled readers, 32 publishers: is anything lost, does memory grow?`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    write: { type: 'string' },
    duration: { type: 'string', default: '10m' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const unknown = positionals.find(name => name !== 'soak' && !Object.hasOwn(measures, name))
if (values.help || unknown !== undefined) {
  console.log(unknown === undefined ? usage : `There are no rows "${unknown}".\n\n${usage}`)
  process.exit(unknown === undefined ? 0 : 1)
}
if (values.write !== undefined && positionals.length > 0) {
  console.log('--write takes the whole table: leave out the rows.')
  process.exit(1)
}
if (positionals.includes('soak')) process.exitCode = (await soak(values.duration)) ? 0 : 1
else await runBench()

async function runBench(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'talaria-bench-'))
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))
  const bench = await Bench.open(directory, values.quick)
  const conditions = `${describeMachine()}. Floor: ${bench.floorName}. ${bench.runs === 1 ? 'One run.' : `Medians of ${bench.runs} runs.`}`
  console.log(conditions)
  if (values.write !== undefined) await requirePlace(values.write)
  const rows: Row[] = []
  for (const [name, measure] of Object.entries(measures)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue
    console.log(`\n${name} …`)
    const measured = await measure(bench)
    console.log(printTable(measured))
    rows.push(...measured)
  }
  if (values.write !== undefined) await write(bench, values.write, `${conditions}\n\n${writeMarkdown(rows)}`)
}

/** Puts the table into the page, and the plots beside it. */
async function write(bench: Bench, directory: string, table: string): Promise<void> {
  const plots = {
    'cost-by-subscribers.svg': await plotSubscribers(bench),
    'cost-by-topics.svg': await plotTopics(bench),
  }
  for (const [file, plot] of Object.entries(plots)) await writeFile(join(directory, file), drawPlot(plot))
  await replaceFigures(directory, table)
  console.log(`\nWritten into ${directory}: performance.md, ${Object.keys(plots).join(', ')}`)
}
