import { setTimeout as after } from 'node:timers/promises'
import { checkTransportUrl } from '../transports/index.ts'
import type { Config } from './config/config.ts'
import type { Verifier } from './config/values/key.ts'
import { HubError } from './errors.ts'
import { type AppOptions, createApp } from './http/app.ts'
import { Backlog } from './http/backlog.ts'
import { createCompilers } from './http/compilers.ts'
import type { Figures } from './http/metrics.ts'
import { compileOrigins } from './http/origin.ts'
import { TimerWheel } from './http/timer-wheel.ts'
import { type Authenticator, createAuthenticator } from './http/tokens/authenticate.ts'
import type { KeySource } from './http/tokens/keys.ts'
import { Hub, type HubObserver } from './hub/hub.ts'
import type { Subscriber } from './hub/subscriber.ts'
import type { HubLog } from './hub-log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import type { Transport } from './transport.ts'

/** What a hub consists of, wherever it is reached. */
export interface Parts {
  readonly hub: Hub
  /** Its routes. */
  readonly app: ReturnType<typeof createApp>
  readonly figures: Figures
  readonly compileFor: AppOptions['compileFor']
  readonly backlog: Backlog
  readonly wheel: TimerWheel
  /** To be told the code of a request that was refused before it came to a route. */
  readonly refused: (code: string) => void
}

export interface PartsOptions {
  readonly openLog: () => Promise<Transport>
  /** The figures to be shown, given the hub's own. Absent: these. */
  readonly figures?: ((own: Metrics) => Figures) | undefined
  /** The hub has this process for itself: its memory, its event loop and the like are among the figures. */
  readonly ownsProcess: boolean
}

/**
 * Builds the parts of a hub from its configuration, and lets them know each other. It has reached nothing yet: see `attach`.
 * @throws HubError `configuration_invalid`, `transport_unavailable`
 */
export async function buildParts(config: Config, log: HubLog, options: PartsOptions): Promise<Parts> {
  const compileFor = createCompilers()
  const authenticator = buildAuthenticator(config, compileFor, log)
  const transport = await options.openLog()
  const backlog = new Backlog(config.maxQueueBytesTotal)
  const metrics = createMetrics({
    recentBytes: () => hub.recentBytes,
    waitingBytes: () => backlog.bytes,
    ownsProcess: options.ownsProcess,
  })
  const hub = new Hub({
    transport,
    recent: config.recent,
    maxQueueBytes: config.maxQueueBytes,
    subscriptions: config.subscriptions,
    observer: observe(metrics, log),
  })
  const wheel = new TimerWheel(tickFor(config))
  const figures = options.figures?.(metrics) ?? metrics
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
  return { hub, app, figures, compileFor, backlog, wheel, refused: metrics.refused }
}

/** How long a hub waits for its log before it answers without. */
const attachMs = 1000

/**
 * Starts a hub and resolves when it has reached its log, or after a second: who asks while the log is away is told so; where it is there,
 * nobody sees a hub without it. `attached` resolves when the log is reached, and rejects when that is found to be impossible as the hub is
 * configured; `giveUp` is called before that, and closes the hub.
 */
export async function attach(
  hub: Hub,
  log: HubLog,
  giveUp: (error: unknown) => Promise<void>,
): Promise<{ readonly isAttached: boolean; readonly attached: Promise<void> }> {
  const started = hub.start()
  const isAttached = await Promise.race([started.then(() => true), after(attachMs, false, { ref: false })])
  const attached = isAttached ? started : attachLate(started)
  attached.catch(() => {})
  return { isAttached, attached }

  async function attachLate(started: Promise<void>): Promise<void> {
    try {
      await started
      log.info({}, 'the log is reached: the hub is ready')
    } catch (error) {
      if (hub.isClosing) return
      await giveUp(error)
      throw error
    }
  }
}

/**
 * Finds what only shows when the parts are built: key files that cannot be read, options that a transport does not have.
 * Nothing is opened. @throws HubError `configuration_invalid`
 */
export async function checkParts(config: Config, log: HubLog): Promise<void> {
  buildAuthenticator(config, createCompilers(), log)
  await checkTransportUrl(config.transportUrl)
}

function buildAuthenticator(config: Config, compileFor: AppOptions['compileFor'], log: HubLog): Authenticator {
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

function observe({ observer }: Metrics, log: HubLog): HubObserver {
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
    failed(error, during) {
      // The outage itself is told by the transport.
      if (isOutage(error)) log.warn({ reason: reasonOf(error) }, `failed while ${during}`)
      else log.error({ err: error }, `failed while ${during}`)
    },
  }
}

const isOutage = (error: unknown): error is HubError =>
  error instanceof HubError && error.code === 'transport_unavailable'

const reasonOf = ({ message, cause }: HubError): string => (cause instanceof Error ? cause.message : message)

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
