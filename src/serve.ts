import { setTimeout as after } from 'node:timers/promises'
import { checkTransportUrl, openTransport } from '../transports/index.ts'
import type { Config } from './config/config.ts'
import { redactDsn } from './config/dsn.ts'
import type { Address } from './config/values/address.ts'
import type { Verifier } from './config/values/key.ts'
import { type AppOptions, createApp } from './http/app.ts'
import { Backlog } from './http/backlog.ts'
import { createCompilers } from './http/compilers.ts'
import { createListener } from './http/listener.ts'
import { createMetricsApp, type Figures } from './http/metrics.ts'
import { compileOrigins } from './http/origin.ts'
import { openServer } from './http/server.ts'
import { TimerWheel } from './http/timer-wheel.ts'
import { type Authenticator, createAuthenticator } from './http/tokens/authenticate.ts'
import type { KeySource } from './http/tokens/keys.ts'
import { Hub, type HubObserver } from './hub/hub.ts'
import type { Subscriber } from './hub/subscriber.ts'
import type { Log } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import type { OpenTransport } from './transport.ts'

export interface RunningHub {
  /** Where it listens: `http://127.0.0.1:3000`. */
  readonly url: string
  /** Where the figures are; `undefined`: nowhere. */
  readonly metricsUrl: string | undefined
  readonly hub: Hub
  /**
   * Resolves when the hub has reached its log, and is ready, or was closed before. Rejects when that is found to be impossible as it is
   * configured; the hub has closed itself then.
   */
  readonly attached: Promise<void>
  /** Ends every stream, finishes publishes under way, and frees everything, within the configured shutdown timeout. Idempotent. */
  close(): Promise<void>
}

/** How long a hub waits for its log before it listens without. */
const attachMs = 1000

/** Where a hub listens. */
export type Place = Pick<Config, 'listen' | 'metrics'>

/** What differs where a hub has several processes: the first one logs that it starts and ends. */
export interface PartOfHub {
  /** The figures of all, given those of this process. */
  readonly figures: (own: Metrics) => Figures
  /** Called when all else is ready. Resolves, with where to listen, when it is this process's turn to. */
  readonly toListen: () => Promise<Place>
}

/**
 * Builds a hub from its configuration and starts it: the only place that knows all the parts. `openLog` opens another transport than
 * those that `transport_url` names; `part`: this process is one of several of a hub.
 * @throws HubError `configuration_invalid`, `transport_unavailable`
 */
export async function serve(
  config: Config,
  log: Log,
  openLog: OpenTransport = openTransport,
  part?: PartOfHub,
): Promise<RunningHub> {
  const compileFor = createCompilers()
  const authenticator = buildAuthenticator(config, compileFor, log)
  const transport = await openLog(config.transportUrl, { log, publishTimeoutMs: config.publishTimeoutMs })
  const backlog = new Backlog(config.maxQueueBytesTotal)
  const metrics = createMetrics({ recentBytes: () => hub.recentBytes, waitingBytes: () => backlog.bytes })
  const hub = new Hub({
    transport,
    recent: config.recent,
    maxQueueBytes: config.maxQueueBytes,
    subscriptions: config.subscriptions,
    observer: observe(metrics, log),
  })
  const wheel = new TimerWheel(tickFor(config))
  const figures = part?.figures(metrics) ?? metrics
  const app = createApp({
    hub,
    authenticator,
    compileFor,
    accepted: config.protocol === 'auto' ? ['1.0', '0.x'] : [config.protocol],
    allowAnonymous: config.allowAnonymous,
    corsAllowedOrigins:
      config.corsAllowedOrigins.length === 0
        ? undefined
        : compileOrigins(config.corsAllowedOrigins, 'cors_allowed_origins'),
    publicUrls: config.publicOrigins,
    useForwardedHeaders: config.useForwardedHeaders,
    maxRequestBodyBytes: config.maxRequestBodyBytes,
    wheel,
    backlog,
    heartbeatMs: config.heartbeatIntervalMs,
    dispatchTimeoutMs: config.dispatchTimeoutMs,
    writeTimeoutMs: config.writeTimeoutMs,
    compress: config.compress,
    metadata: describeResource(config),
    metrics: config.metrics === 'main' ? figures : undefined,
    demo: config.demo,
    log,
    refused: metrics.refused,
  })
  const opened: (() => Promise<void>)[] = [() => hub.close()]
  let isClosing = false
  const close = once(async () => {
    isClosing = true
    if (part === undefined) log.info('shutting down')
    const closed = await Promise.allSettled(opened.map(closeOne => closeOne()))
    wheel.close()
    for (const result of closed) if (result.status === 'rejected') throw result.reason
    if (part === undefined) log.info('stopped')
  })
  const open = async (
    setting: string,
    app: ReturnType<typeof createApp>,
    { host, port }: Address,
    tls: Config['tls'],
  ) => {
    const { readTimeoutMs, readHeaderTimeoutMs, shutdownTimeoutMs } = config
    const listener = createListener(app, { log, refused: metrics.refused })
    const failed = (error: Error) => log.error({ err: error }, 'the server cannot accept connections')
    const server = await openServer({ listener, setting, host, port, tls, readTimeoutMs, readHeaderTimeoutMs, failed })
    opened.push(() => server.close(shutdownTimeoutMs))
    return server.url
  }
  try {
    const attached = hub.start()
    // Who asks while the log is away is told so; where it is there, nobody sees a hub without it.
    const isAttached = await Promise.race([attached.then(() => true), after(attachMs, false, { ref: false })])
    const reached = isAttached ? attached : attachLate(attached)
    reached.catch(() => {})
    const place = (await part?.toListen()) ?? config
    // That may have been long: where the log was found to be of no use meanwhile, the hub has closed itself.
    if (isClosing) await attached
    const url = await open('addr', app, place.listen, config.tls)
    const metricsUrl = await openMetrics(url, place)
    if (!isAttached) log.warn('the log cannot be reached yet: until then the hub is not ready, and refuses everybody')
    if (part === undefined) {
      log.info({ url, transport: redactDsn(config.transportUrl), metrics: metricsUrl }, `listening on ${url}`)
    }
    return { url, metricsUrl, hub, attached: reached, close }
  } catch (error) {
    await close().catch(failure => log.error({ err: failure }, 'the hub that did not start was not closed cleanly'))
    throw error
  }

  async function attachLate(attached: Promise<void>): Promise<void> {
    try {
      await attached
      log.info('the log is reached: the hub is ready')
    } catch (error) {
      if (isClosing) return
      log.fatal({ err: error }, 'the hub cannot use its log, and ends')
      await close()
      throw error
    }
  }

  async function openMetrics(hubUrl: string, place: Place): Promise<string | undefined> {
    if (place.metrics === null) return undefined
    if (place.metrics === 'main') return `${hubUrl}/metrics`
    return `${await open('metrics_addr', createMetricsApp({ hub, metrics: figures, log }), place.metrics, null)}/metrics`
  }
}

/**
 * Finds what only shows when the parts are built: key files that cannot be read, options that a transport does not have.
 * Nothing is opened. @throws HubError `configuration_invalid`
 */
export async function checkParts(config: Config, log: Log): Promise<void> {
  buildAuthenticator(config, createCompilers(), log)
  await checkTransportUrl(config.transportUrl)
}

function buildAuthenticator(config: Config, compileFor: AppOptions['compileFor'], log: Log): Authenticator {
  return createAuthenticator({
    legacy: { publisher: keySource(config.keys.publisher), subscriber: keySource(config.keys.subscriber) },
    issuers: config.issuers.map(({ id, publisher, subscriber }) => ({
      id,
      publisher: keySource(publisher),
      subscriber: keySource(subscriber),
    })),
    protocol: config.protocol,
    cookieNames: config.cookieNames,
    publishAllowedOrigins: config.publishAllowedOrigins,
    resourceIdentifier: config.resourceIdentifier ?? undefined,
    compileFor,
    log,
  })
}

const keySource = (verifier: Verifier | null): KeySource | undefined =>
  verifier === null ? undefined : 'key' in verifier ? verifier : { ...verifier, jwksUrl: verifier.jwksUrl.href }

/** What clients are told of the tokens that this hub takes; nothing where it takes none of generation 1.0. */
function describeResource({ issuers, cookieNames, subscriptions }: Config): AppOptions['metadata'] {
  if (issuers.length === 0) return undefined
  const authorizationServers = issuers.filter(issuer => issuer.authorizationServer).map(({ id }) => id)
  return { authorizationServers, cookieName: cookieNames['1.0'], subscriptions }
}

function observe({ observer }: Metrics, log: Log): HubObserver {
  return {
    ...observer,
    published(update) {
      observer.published(update)
      log.debug({ update }, 'update published')
    },
    subscribed(subscriber) {
      observer.subscribed(subscriber)
      log.info(describeSubscriber(subscriber), 'new subscriber')
    },
    unsubscribed(subscriber, reason) {
      observer.unsubscribed(subscriber, reason)
      log.info({ subscriber: subscriber.id, reason }, 'subscriber left')
    },
    failed: (error, during) => log.error({ err: error }, `failed while ${during}`),
  }
}

/** A client chooses how many matchers it sends, and their length: a line of the log shows the first of each. */
const describeSubscriber = ({ id, matchers }: Subscriber): object => ({
  subscriber: id,
  matchers: matchers.slice(0, 20).map(({ kind, pattern }) => `${kind}:${pattern.slice(0, 500)}`),
  ...(matchers.length > 20 && { moreMatchers: matchers.length - 20 }),
})

/** Fine enough for the shortest of the configured times, and no finer than needed: an idle hub should sleep. */
function tickFor({ heartbeatIntervalMs, dispatchTimeoutMs, writeTimeoutMs }: Config): number {
  const shortest = Math.min(...[heartbeatIntervalMs, dispatchTimeoutMs, writeTimeoutMs].filter(ms => ms > 0))
  return Math.min(100, Math.max(1, shortest / 20))
}

function once(action: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  return () => {
    done ??= action()
    return done
  }
}
