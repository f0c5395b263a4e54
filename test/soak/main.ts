import { parseArgs } from 'node:util'
import { describeMachine } from '../bench/machine.ts'
import { openSite, siteNames } from './site.ts'
import { soak } from './soak.ts'

const usage = `npm run soak -- [--backend ${siteNames.join('|')}] [--minutes 10] [--clients 200]

Three nodes on a real backend (bolt: one node) under everything at once: publishers, clients that come and go, slow ones, revocations, nodes that
are restarted and killed, a backend that is restarted and stands still. Its last line counts what was lost, repeated and reordered: it exits with 1
unless there is nothing to count.`

const { values } = parseArgs({
  options: {
    backend: { type: 'string', default: 'redis' },
    minutes: { type: 'string', default: '10' },
    clients: { type: 'string', default: '200' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const minutes = Number(values.minutes)
const clients = Number(values.clients)
const isUsable = siteNames.includes(values.backend) && minutes > 0 && Number.isInteger(clients) && clients > 0
if (values.help || !isUsable) {
  console.log(usage)
  process.exit(values.help ? 0 : 1)
}
process.exitCode = (await run()) ? 0 : 1

async function run(): Promise<boolean> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  const site = await openSite(values.backend)
  if (typeof site === 'string') {
    console.log(site)
    return false
  }
  await using _ = site
  console.log(`${describeMachine()}\n${minutes} minutes of ${clients} clients on ${site.name}, nodes: ${site.nodes}`)
  const { summary, faults, alarms, counts } = await soak({
    site,
    clients,
    publishers: 8,
    perSecond: 10,
    calmMs: 6000,
    print: console.log,
    isOver: ({ elapsedMs }) => elapsedMs >= minutes * 60_000,
  })
  for (const fault of faults) console.log(fault)
  console.log(summary)
  return alarms === 0 && Object.values(counts).every(count => count === 0)
}
