import { createInterface } from 'node:readline'
import { createLog } from '../../src/log.ts'
import { serve } from '../../src/serve.ts'
import { readSettings } from '../support/hub.ts'

// A hub in a process of its own, so that its processor time and memory are its own. The argument is a JSON object of settings. Prints
// {"port": N}; answers `cpu` with its processor time, `memory` with its resident memory and that in use, after a collection of
// garbage, and `memory now` without one. Ends with its standard input.

const log = createLog({ format: 'json', debug: false, destination: { write() {} } })
// The load shares the machine: a pause of its reader must not end streams.
const settings = { transport_url: 'local://local', dispatch_timeout: '60s', ...JSON.parse(process.argv[2] ?? '{}') }
const hub = await serve(readSettings(settings), log)
// A log on another machine is reached a moment later than the hub.
await hub.attached
const answer = (message: unknown) => process.stdout.write(`${JSON.stringify(message)}\n`)
answer({ port: Number(new URL(hub.url).port) })

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'cpu') {
    const { user, system } = process.cpuUsage()
    answer({ cpuMicros: user + system })
  } else {
    if (line === 'memory') globalThis.gc?.()
    const { rss, heapUsed, external } = process.memoryUsage()
    answer({ rssBytes: rss, usedBytes: heapUsed + external })
  }
}
await hub.close()
// What holds the process for longer is of no interest here.
process.exit(0)
