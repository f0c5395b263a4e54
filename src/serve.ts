import { openTransport } from '../transports/index.ts'
import type { Config } from './config/config.ts'
import { redactDsn } from './config/dsn.ts'
import type { Address } from './config/values/address.ts'
import { HubError } from './errors.ts'
import { createAdminApp } from './http/admin.ts'
import type { createApp } from './http/app.ts'
import { createListener } from './http/listener.ts'
import { createMetricsApp, type Figures } from './http/metrics.ts'
import { type HubServer, openServer } from './http/server.ts'
import { timeToDrain } from './hub/drain.ts'
import type { Hub } from './hub/hub.ts'
import type { Limiter } from './limits/limiter.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import { attach, buildParts } from './parts.ts'
import type { OpenTransport } from './transport.ts'

export interface RunningHub {
  /** Where it listens: `http://127.0.0.1:3000`. */
  readonly url: string
  /** Where the figures are; `undefined`: nowhere. */
  readonly metricsUrl: string | undefined
  /** Where operators revoke tokens; `undefined`: nowhere. */
  readonly adminUrl: string | undefined
  readonly hub: Hub
  /**
   * Resolves when the hub has reached its log, and is ready, or was closed before. Rejects when that is found to be impossible as it is
   * configured; the hub has closed itself then.
   */
  readonly attached: Promise<void>
  /**
   * Ends every stream, evenly within the configured shutdown timeout, and frees everything. Publishers are answered until the last stream
   * has ended. Idempotent.
   */
  close(): Promise<void>
}

/** Where a hub listens. */
export type Place = Pick<Config, 'listen' | 'metrics' | 'admin'>

/** What differs where a hub has several processes: the first one logs that it starts and ends. */
export interface PartOfHub {
  /** The figures of all, given those of this process. */
  readonly figures: (own: Metrics) => Figures
  /** Who counts for the limits of the node; `undefined`: it has none. */
  readonly limiter: Limiter | undefined
  /** Called when all else is ready. Resolves, with where to listen, when it is this process's turn to. */
  readonly toListen: () => Promise<Place>
}

/**
 * Builds a hub from its configuration, starts it, and lets it listen. `openLog` opens another transport than
 * those that `transport_url` names; `part`: this process is one of several of a hub.
 * @throws HubError `configuration_invalid`, `transport_unavailable`
 */
export async function serve(
  config: Config,
  log: Log,
  openLog: OpenTransport = openTransport,
  part?: PartOfHub,
): Promise<RunningHub> {
  const { hub, app, figures, wheel, tracing, refused } = await buildParts(config, log, {
    openLog: () => openLog(config.transportUrl, { log, publishTimeoutMs: config.publishTimeoutMs }),
    figures: part?.figures,
    limiter: part?.limiter,
    ownsProcess: true,
  })
  const servers: HubServer[] = []
  const { shutdownTimeoutMs } = config
  const close = once(async () => {
    if (part === undefined) log.info('shutting down')
    const endsAt = performance.now() + shutdownTimeoutMs
    for (const server of servers) server.drain()
    await hub.drain(timeToDrain(shutdownTimeoutMs))
    // The log stays for as long as there may be a publisher.
    await Promise.all(servers.map(server => server.close(Math.max(0, endsAt - performance.now()))))
    const forgotten = hub.revocations.endingHere
    if (forgotten > 0) {
      log.warn({ revocations: forgotten }, 'no other hub knows these revocations: they end with this one')
    }
    await hub.close().finally(() => wheel.close())
    await tracing?.close(timeToFlush(endsAt - performance.now()))
    if (part === undefined) log.info('stopped')
  })
  const open = async (
    setting: string,
    app: ReturnType<typeof createApp>,
    { host, port }: Address,
    tls: Config['tls'],
  ) => {
    const { readTimeoutMs, readHeaderTimeoutMs } = config
    const listener = createListener(app, { log, refused })
    const failed = (error: Error) => log.error({ err: error }, 'the server cannot accept connections')
    const options = { listener, setting, host, port, tls, readTimeoutMs, readHeaderTimeoutMs, failed }
    const server = await openServer({ ...options, observer: { log, refused } })
    servers.push(server)
    return server.url
  }
  try {
    const { isAttached, attached } = await attach(hub, log, async error => {
      // Where an operator has something to mend, a sentence says what.
      if (error instanceof HubError) log.fatal(`the hub cannot use its log, and ends: ${error.message}`)
      else log.fatal({ err: error }, 'the hub cannot use its log, and ends')
      await close()
    })
    const place = (await part?.toListen()) ?? config
    // That may have been long: where the log was found to be of no use meanwhile, the hub has closed itself.
    if (hub.isClosing) await attached
    const url = await open('addr', app, place.listen, config.tls)
    const metricsUrl = await openMetrics(url, place)
    const adminUrl = await openAdmin(place)
    if (!isAttached) log.info('the log is not reached yet: until it is, the hub is not ready, and refuses everybody')
    if (part === undefined) {
      const transport = redactDsn(config.transportUrl)
      log.info({ url, transport, metrics: metricsUrl, admin: adminUrl }, `listening on ${url}`)
    }
    return { url, metricsUrl, adminUrl, hub, attached, close }
  } catch (error) {
    await close().catch(failure => log.error({ err: failure }, 'the hub that did not start was not closed cleanly'))
    throw error
  }

  async function openMetrics(hubUrl: string, place: Place): Promise<string | undefined> {
    if (place.metrics === null) return undefined
    if (place.metrics === 'main') return `${hubUrl}/metrics`
    return `${await open('metrics_addr', createMetricsApp({ hub, metrics: figures, log }), place.metrics, null)}/metrics`
  }

  async function openAdmin({ admin }: Place): Promise<string | undefined> {
    if (admin === null) return undefined
    return await open('admin_addr', createAdminApp({ hub, secret: admin.secret, log, refused }), admin.listen, null)
  }
}

/** The last spans are worth waiting a little for, whatever time is left, and no more than that. */
const timeToFlush = (restMs: number): number => Math.min(3000, Math.max(1000, restMs))

function once(action: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  return () => {
    done ??= action()
    return done
  }
}
