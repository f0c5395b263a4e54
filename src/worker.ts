import { Socket } from 'node:net'
import { unpackConfig } from './config/transfer.ts'
import { isLimiting } from './limits/limiter.ts'
import { createLog, type Log } from './log.ts'
import { type Metrics, renderTotals, type Snapshot } from './metrics.ts'
import { type Place, type RunningHub, serve } from './serve.ts'
import { Link } from './workers/link.ts'
import { openRemoteLog } from './workers/remote-log.ts'
import { connectLimiter } from './workers/shared-limiter.ts'
import { type Addresses, linkDescriptor, type WorkerSettings } from './workers/worker-process.ts'

/** More than that left waiting by the primary process: it hangs, and nothing is worth waiting for. */
const maxWaitingBytes = 256 << 20

// The program of one of several processes of a hub; `serve-workers.ts` starts it.
const link = new Link(new Socket({ fd: linkDescriptor, readable: true, writable: true }), { maxWaitingBytes })
let running: RunningHub | undefined
let isClosing = false
let counters: (() => Promise<Snapshot>) | undefined

// A terminal and some supervisors signal the whole group: the primary process ends its workers in order.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})

link.answer('prepare', async payload => {
  const { number, config: packed, isLogHosted, signIntervalMs }: WorkerSettings = JSON.parse(payload.toString())
  process.title = `talaria worker ${number}`
  giveSign()
  setInterval(giveSign, signIntervalMs)
  const config = unpackConfig(packed)
  const log = createLog({ format: config.logFormat, debug: config.debug, worker: number })
  process.on('uncaughtExceptionMonitor', error => log.fatal({ err: error }, 'a defect ends the worker'))
  link.on('close', () => close(log))
  const prepared = Promise.withResolvers<void>()
  const place = Promise.withResolvers<Place>()
  const starting = serve(config, log, isLogHosted ? () => openRemoteLog(link) : undefined, {
    figures(own) {
      if (config.metrics !== null || config.debugger) counters = own.counters
      return totals(own)
    },
    limiter: isLimiting(config.limits) ? connectLimiter(link, config.limits) : undefined,
    toListen() {
      prepared.resolve()
      return place.promise
    },
  })
  link.answer('listen', async payload => {
    place.resolve(JSON.parse(payload.toString()))
    running = await starting
    running.attached.catch(() => {
      process.exitCode = 1
      return close(log)
    })
    const { url, metricsUrl, adminUrl } = running
    const addresses: Addresses = { url, metricsUrl, adminUrl }
    return Buffer.from(JSON.stringify(addresses))
  })
  await Promise.race([prepared.promise, starting])
  return undefined
})

link.on('close', () => process.exit())

// The primary process has gone, and with it the log and the port: there is nothing left to end in order.
link.closed.then(() => process.exit(isClosing ? process.exitCode : 1))

/** That this process lives, and what it has counted, which then outlives it. */
async function giveSign(): Promise<void> {
  link.send('alive', counters && Buffer.from(JSON.stringify(await counters())))
}

function totals(own: Metrics) {
  link.answer('own-figures', async () => Buffer.from(JSON.stringify(await own.snapshot())))
  return {
    contentType: own.contentType,
    render: async () => await renderTotals(JSON.parse((await link.ask('figures')).toString())),
  }
}

async function close(log: Log): Promise<void> {
  if (isClosing) return
  isClosing = true
  try {
    await running?.close()
  } catch (error) {
    log.error({ err: error }, 'the worker did not stop cleanly')
    process.exitCode = 1
  }
  link.end()
}
