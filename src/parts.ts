import { setTimeout as after } from 'node:timers/promises'
import manifest from '../package.json' with { type: 'json' }
import { checkTransportUrl } from '../transports/index.ts'
import type { Config } from './config/config.ts'
import { schemeOf } from './config/dsn.ts'
import type { Verifier } from './config/values/key.ts'
import { HubError } from './errors.ts'
import { type AppOptions, createApp } from './http/app.ts'
import { Backlog } from './http/backlog.ts'
import { createCompilers } from './http/compilers.ts'
import type { Figures } from './http/metrics.ts'
import { compileOrigins } from './http/origin.ts'
import { maxLoggedSubject } from './http/problem.ts'
import type { Question } from './http/question.ts'
import { TimerWheel } from './http/timer-wheel.ts'
import { type Authenticator, createAuthenticator } from './http/tokens/authenticate.ts'
import type { KeySource } from './http/tokens/keys.ts'
import { TrustedProxies } from './http/trusted-proxies.ts'
import { type Explanation, judge } from './http/verdict.ts'
import { Hub, type HubObserver } from './hub/hub.ts'
import { RevocationList } from './hub/revocation/revocation-list.ts'
import type { Subscriber } from './hub/subscriber.ts'
import type { HubLog } from './hub-log.ts'
import { isLimiting, type Limiter, NodeLimiter } from './limits/limiter.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { checkTracing, exportTraces, joinTraces } from './tracing/open.ts'
import type { Tracing } from './tracing.ts'
import type { Transport } from './transport.ts'

export type { Explanation, Question }

/** What a hub consists of, wherever it is reached. */
export interface Parts {
  readonly hub: Hub
  /** Its routes. */
  readonly app: ReturnType<typeof createApp>
  readonly figures: Figures
  readonly compileFor: AppOptions['compileFor']
  readonly backlog: Backlog
  readonly wheel: TimerWheel
  /** `undefined`: nothing is traced. To be closed after the hub, where it has the process for itself. */
  readonly tracing: Tracing | undefined
  /** To be told the code of a request that was refused before it came to a route. */
  readonly refused: (code: string) => void
}

export interface PartsOptions {
  readonly openLog: () => Promise<Transport>
  /** What the log is called. Absent: as the scheme of its URL. */
  readonly logName?: string | undefined
  /** Who counts for the limits. Absent: this process, where there are limits. */
  readonly limiter?: Limiter | undefined
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
  const revoked = new RevocationList()
  const authenticator = buildAuthenticator(config, compileFor, log, revoked)
  const tracing = await openTracing(config, log, options)
  const opened = await options.openLog()
  const transport = tracing?.watchTransport(opened) ?? opened
  const backlog = new Backlog(config.maxQueueBytesTotal)
  const metrics = createMetrics({
    version: manifest.version,
    transport: options.logName === undefined ? config.transportUrl.protocol.replace(':', '') : 'custom',
    ownsProcess: options.ownsProcess,
    hub: () => hub,
    backlog,
    depth: transport.depth?.bind(transport),
    subscriptions: config.subscriptions,
  })
  const observer = observe(metrics, log)
  const hub = new Hub({
    transport,
    recent: config.recent,
    maxQueueBytes: config.maxQueueBytes,
    subscriptions: config.subscriptions,
    revoked,
    observer: tracing?.watchHub(observer) ?? observer,
  })
  const wheel = new TimerWheel(tickFor(config))
  const figures = options.figures?.(metrics) ?? metrics
  const app = createApp({
    hub,
    authenticator,
    compileFor,
    accepted: acceptedBy(config),
    allowAnonymous: config.allowAnonymous,
    corsAllowedOrigins:
      config.corsAllowedOrigins.length === 0
        ? undefined
        : compileOrigins(config.corsAllowedOrigins, 'cors_allowed_origins'),
    publicUrls: config.publicOrigins,
    trustedProxies: config.useForwardedHeaders ? new TrustedProxies(config.trustedProxies) : undefined,
    bounds: config.limits,
    limiter: options.limiter ?? (isLimiting(config.limits) ? new NodeLimiter(config.limits) : undefined),
    maxRequestBodyBytes: config.maxRequestBodyBytes,
    wheel,
    backlog,
    heartbeatMs: config.heartbeatIntervalMs,
    dispatchTimeoutMs: config.dispatchTimeoutMs,
    writeTimeoutMs: config.writeTimeoutMs,
    compress: config.compress,
    metadata: describeResource(config),
    tracing,
    metrics: config.metrics === 'main' ? figures : undefined,
    debugger: config.debugger
      ? {
          version: manifest.version,
          transport: options.logName ?? config.transportUrl.protocol.replace(':', ''),
          workers: config.workers,
          figures,
          demo: config.demo,
          cookieNames: config.cookieNames,
          publishAllowedOrigins: compileOrigins(config.publishAllowedOrigins, 'publish_allowed_origins'),
          keys: trustedKeys(config),
        }
      : undefined,
    log,
    refused: metrics.refused,
  })
  return { hub, app, figures, compileFor, backlog, wheel, tracing, refused: metrics.refused }
}

/** How long a hub waits for its log before it answers without. */
const attachMs = 1000
/** How long it waits for other nodes to tell what is revoked: it may be alone. */
const informedMs = 250

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
  const started = start(hub)
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

/** Where it listens only after this, nobody comes in with a token that is known to be revoked. */
async function start(hub: Hub): Promise<void> {
  await hub.start()
  await hub.revocations.informed(informedMs)
}

/**
 * Finds what only shows when the parts are built: key files that cannot be read, options that a transport does not have.
 * Nothing is opened. @throws HubError `configuration_invalid`
 */
export async function checkParts(config: Config, log: HubLog): Promise<void> {
  buildAuthenticator(config, createCompilers(), log)
  await checkTransportUrl(config.transportUrl)
  if (config.tracing !== null) await checkTracing()
}

/**
 * What a hub of this configuration answers to tokens, and why. Nothing is opened; key sets that are not files are fetched.
 * @throws HubError `configuration_invalid`
 */
export async function createJudge(config: Config, log: HubLog): Promise<(question: Question) => Promise<Explanation>> {
  const compileFor = createCompilers()
  const authenticator = buildAuthenticator(config, compileFor, log)
  const { allowAnonymous, subscriptions, limits: bounds } = config
  const rules = { authenticator, compileFor, accepted: acceptedBy(config), allowAnonymous, subscriptions, bounds }
  return question => judge(question, { ...rules, diagnose: true })
}

/** A hub in an application adds to what that traces. */
async function openTracing(
  { tracing, transportUrl }: Config,
  log: HubLog,
  { logName, ownsProcess }: PartsOptions,
): Promise<Tracing | undefined> {
  if (tracing === null) return undefined
  const transport = logName === undefined ? schemeOf(transportUrl) : 'custom'
  const identity = { version: manifest.version, transport }
  return ownsProcess ? await exportTraces(tracing, identity, log) : await joinTraces(identity)
}

const acceptedBy = ({ protocol }: Config): AppOptions['accepted'] => (protocol === 'auto' ? ['1.0', '0.x'] : [protocol])

function buildAuthenticator(
  config: Config,
  compileFor: AppOptions['compileFor'],
  log: HubLog,
  revoked?: RevocationList,
): Authenticator {
  return createAuthenticator({
    ...trustedKeys(config),
    cookieNames: config.cookieNames,
    publishAllowedOrigins: config.publishAllowedOrigins,
    resourceIdentifier: config.resourceIdentifier ?? undefined,
    compileFor,
    log,
    ...(revoked !== undefined && { checkRevoked: grant => revoked.check(grant) }),
  })
}

const trustedKeys = ({ keys, issuers, protocol }: Config) => ({
  legacy: { publisher: keySource(keys.publisher), subscriber: keySource(keys.subscriber) },
  issuers: issuers.map(({ id, publisher, subscriber }) => ({
    id,
    publisher: keySource(publisher),
    subscriber: keySource(subscriber),
  })),
  protocol,
})

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
    published(update, tookMs) {
      observer.published(update, tookMs)
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
const describeSubscriber = ({ id, matchers, grant }: Subscriber): object => ({
  subscriber: id,
  ...(grant?.subject !== undefined && { subject: grant.subject.slice(0, maxLoggedSubject) }),
  matchers: matchers.slice(0, 20).map(({ kind, pattern }) => `${kind}:${pattern.slice(0, 500)}`),
  ...(matchers.length > 20 && { moreMatchers: matchers.length - 20 }),
})

/** Fine enough for the shortest of the configured times, and no finer than needed: an idle hub should sleep. */
function tickFor({ heartbeatIntervalMs, dispatchTimeoutMs, writeTimeoutMs }: Config): number {
  const shortest = Math.min(...[heartbeatIntervalMs, dispatchTimeoutMs, writeTimeoutMs].filter(ms => ms > 0))
  return Math.min(100, Math.max(1, shortest / 20))
}
