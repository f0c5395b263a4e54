import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isSingleNode, openTransport } from '../transports/index.ts'
import type { Config } from './config/config.ts'
import { redactDsn } from './config/dsn.ts'
import { packConfig } from './config/transfer.ts'
import { isLimiting, NodeLimiter } from './limits/limiter.ts'
import { type Log, writeLine } from './log.ts'
import { addUpCounters, createProcessMetrics } from './metrics.ts'
import { Figures } from './workers/figures.ts'
import { LogHost } from './workers/log-host.ts'
import { Primary } from './workers/primary.ts'
import type { VigilOptions } from './workers/vigil.ts'
import type { Addresses, WorkerSettings } from './workers/worker-process.ts'

export interface RunningWorkers extends Addresses {
  /** Ends every stream of every worker, finishes publishes under way, and ends the workers. Idempotent. */
  close(): Promise<void>
}

/** Beside the window of newest updates, which a worker is sent when it starts. */
const maxWaitingBytes = 64 << 20
/** Ten seconds without a sign of life are no load any more; a process that starts on a busy machine has more, one that is to end less. */
const usualVigil: VigilOptions = { intervalMs: 2000, patience: { starting: 15, serving: 5, ending: 3 } }

/**
 * A hub of several processes on one port: this one keeps the log, unless each can open it by itself, and the workers alive.
 * @throws HubError `configuration_invalid`, `transport_unavailable`
 */
export async function serveWorkers(config: Config, log: Log, vigil = usualVigil): Promise<RunningWorkers> {
  const isLogHosted = isSingleNode(config.transportUrl)
  const transport = isLogHosted
    ? await openTransport(config.transportUrl, { log, publishTimeoutMs: config.publishTimeoutMs })
    : undefined
  const closeLog = async () => await transport?.close()
  try {
    const primary = await Primary.start({
      count: config.workers,
      program: fileURLToPath(new URL(`./worker${extname(import.meta.filename)}`, import.meta.url)),
      settings: number =>
        encodeSettings({
          number,
          isLogHosted,
          config: packConfig(shareOf(config)),
          signIntervalMs: vigil.intervalMs,
        }),
      place: addresses => Buffer.from(JSON.stringify(placeOf(config, addresses))),
      host: transport === undefined ? undefined : await LogHost.start(transport, config.recent),
      figures:
        config.metrics === null && !config.debugger
          ? undefined
          : new Figures({ own: createProcessMetrics(), keep: addUpCounters }),
      limiter: isLimiting(config.limits) ? new NodeLimiter(config.limits) : undefined,
      maxWaitingBytes: maxWaitingBytes + config.recent.bytes,
      vigil,
      shutdownTimeoutMs: config.shutdownTimeoutMs,
      log,
      writeLine: (line, stream) => (stream === 'stdout' ? writeLine(log, line) : process.stderr.write(line)),
    })
    const { url, metricsUrl, adminUrl } = primary.addresses
    const { workers } = config
    const where = { url, transport: redactDsn(config.transportUrl), metrics: metricsUrl, admin: adminUrl, workers }
    log.info(where, `listening on ${url}`)
    let closed: Promise<void> | undefined
    const close = async () => {
      log.info('shutting down')
      await primary.close()
      await closeLog()
      log.info('stopped')
    }
    return {
      url,
      metricsUrl,
      adminUrl,
      close() {
        closed ??= close()
        return closed
      },
    }
  } catch (error) {
    await closeLog()
    throw error
  }
}

const encodeSettings = (settings: WorkerSettings): Uint8Array => Buffer.from(JSON.stringify(settings))

/** What one worker is to do: its part of what the hub may take. */
const shareOf = (config: Config): Config => ({
  ...config,
  maxQueueBytesTotal: Math.ceil(config.maxQueueBytesTotal / config.workers),
})

/** Where workers listen: as configured, with the ports that were found before. */
function placeOf(
  { listen, metrics, admin }: Config,
  found: Addresses | undefined,
): Pick<Config, 'listen' | 'metrics' | 'admin'> {
  const at = <Address extends { port: number }>(address: Address, url: string | undefined): Address =>
    url === undefined ? address : { ...address, port: Number(new URL(url).port) || address.port }
  return {
    listen: at(listen, found?.url),
    metrics: metrics === null || metrics === 'main' ? metrics : at(metrics, found?.metricsUrl),
    admin: admin && { ...admin, listen: at(admin.listen, found?.adminUrl) },
  }
}
