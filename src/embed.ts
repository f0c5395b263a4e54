import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Hono } from 'hono'
import { openTransport } from '../transports/index.ts'
import { type HubSettings, readSettings } from './config/embedded.ts'
import type { Updates } from './embed/feed.ts'
import { type NewUpdate, readUpdate } from './embed/publish.ts'
import { type SubscribeOptions, subscribe } from './embed/subscribe.ts'
import { HubError } from './errors.ts'
import { createMount } from './http/mount.ts'
import { timeToDrain } from './hub/drain.ts'
import type { HubLog } from './hub-log.ts'
import { attach, buildParts } from './parts.ts'
import { hubPath, unknownHubUrl } from './protocol/topic.ts'
import type { Operation } from './tracing.ts'
import type { Transport } from './transport.ts'

export type { Duration, HubSettings, IssuerSettings, LimitSettings, RoleKeys, Size } from './config/embedded.ts'
export type { Updates } from './embed/feed.ts'
export type { NewUpdate } from './embed/publish.ts'
export type { SubscribeOptions, TopicMatcher } from './embed/subscribe.ts'
export { type ErrorCode, HubError } from './errors.ts'
export type { HubLog } from './hub-log.ts'
export type { Update } from './protocol/update.ts'
export type {
  Broadcast,
  History,
  HistoryPage,
  HistoryStart,
  KeyedUpdate,
  LogEntry,
  OpenTransport,
  PublishKey,
  Records,
  Transport,
  TransportContext,
  TransportLog,
} from './transport.ts'

export interface EmbedOptions {
  /** The log that keeps updates, opened, in the place of `transport_url`. It is closed with the hub, and belongs to this one alone. */
  readonly transport?: Transport | undefined
  /** A pino logger, or `console`; its debug lines hold payloads. Default: nothing is said. */
  readonly log?: HubLog | undefined
}

/** A hub inside of an application. Its HTTP is at the paths of the specification, `/.well-known/mercure` and what belongs to it, and nowhere else. */
export interface EmbeddedHub {
  /** For an application of Hono: `app.route('/', hub.app)`. */
  readonly app: Hono
  /**
   * For Node's servers, and what is made of them: before anything that reads bodies. A request for another path goes to `next`, or gets 404 where
   * there is none.
   */
  listener(
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
    next?: () => void,
  ): void
  /** For servers that have a `Request`, and want a `Response`. Other paths get 404. It costs more than the two above. */
  fetch(request: Request): Promise<Response>
  /**
   * Stores an update, without a token; resolves with its id when every subscriber of every node will get it.
   * @throws HubError `transport_unavailable`, `shutting_down`; `body_malformed`, `topic_*`, `topics_too_many`, `id_invalid`, `type_invalid`, `data_invalid`,
   * `retry_invalid` for an update that a publisher with a token could not publish either
   */
  publish(update: NewUpdate): Promise<string>
  /**
   * Subscribes without a token; the application is in no list of subscriptions. Nothing that is published after this has resolved is missed.
   * Up to `max_queue_bytes` wait for the reader.
   * @throws HubError `body_malformed`, `matcher_*`, `shutting_down`, `transport_unavailable`
   */
  subscribe(options: SubscribeOptions): Promise<Updates>
  /** Resolves where updates can be stored and subscribed to now. @throws HubError `transport_unavailable`, `shutting_down` */
  ready(): Promise<void>
  /**
   * Resolves when the log is reached. Rejects, with `configuration_invalid`, when that is found to be impossible later than in `createHub`; the hub
   * has closed itself then.
   */
  readonly attached: Promise<void>
  /** For Prometheus: of this hub, and not of its process. */
  readonly metrics: { readonly contentType: string; render(): Promise<string> }
  /**
   * Ends all streams, evenly and within `shutdown_timeout`; few, within moments. No other begins; updates are taken until the last has ended. Then
   * everybody is refused, answers under way are waited for, and the log is closed. Subscriptions of the application itself end last. Idempotent.
   */
  close(): Promise<void>
}

/**
 * Makes a hub for the server of an application. Resolves when it has reached its log, or after a second without: then `ready` rejects, and
 * requests get 503, until it has.
 * @throws HubError `configuration_invalid`, with a line for each problem; `transport_unavailable`
 */
export async function createHub(settings: HubSettings = {}, options: EmbedOptions = {}): Promise<EmbeddedHub> {
  const { config, warnings } = await readSettings(settings, options)
  const { transport, log = silent } = options
  if (transport !== undefined && (settings.transport_url ?? settings.transport_url_file) !== undefined) {
    throw new HubError('configuration_invalid', 'transport_url: a transport is given, too: give one of the two.')
  }
  for (const warning of warnings) log.warn({}, warning)
  const { transportUrl, publishTimeoutMs, shutdownTimeoutMs } = config
  const parts = await buildParts(config, log, {
    openLog: async () => transport ?? (await openTransport(transportUrl, { log, publishTimeoutMs })),
    logName: transport && 'a transport of the application',
    ownsProcess: false,
  })
  const { hub, app, figures, backlog, wheel, tracing, refused } = parts
  const { close: closeMount, ...mount } = createMount(app, { log, refused })
  const [origin] = config.publicOrigins
  const hubUrl = config.resourceIdentifier ?? (origin === undefined ? unknownHubUrl : `${origin}${hubPath}`)
  const compile = parts.compileFor(hubUrl)
  const follow = <Result>(operation: Operation, act: () => Promise<Result>): Promise<Result> =>
    tracing === undefined ? act() : tracing.follow(operation, act)
  let published = 0
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => {
    closed ??= closeAll()
    return closed
  }
  const closeAll = async (): Promise<void> => {
    // What was published just now leaves in this turn's end.
    await nextTurn()
    const endsAt = performance.now() + shutdownTimeoutMs
    await hub.drain(timeToDrain(shutdownTimeoutMs))
    const restMs = Math.max(0, endsAt - performance.now())
    const [closedHub] = await Promise.allSettled([hub.close(), closeMount(restMs)])
    wheel.close()
    if (closedHub.status === 'rejected') throw closedHub.reason
  }
  try {
    const { attached } = await attach(hub, log, async error => {
      log.error({ err: error }, 'the hub cannot use its log, and has closed itself')
      await close()
    })
    return {
      ...mount,
      async publish(given) {
        const update = await follow('mercure.publish', async () => {
          const update = readUpdate(given)
          await hub.publish(update)
          return update
        })
        if (++published % publishesPerTurn === 0) await nextTurn()
        return update.id
      },
      subscribe: options => follow('mercure.subscribe', () => subscribe(options, { hub, compile, bounds: backlog })),
      ready: () => hub.ready(),
      attached,
      metrics: figures,
      close,
    }
  } catch (error) {
    await close().catch(failure => log.error({ err: failure }, 'the hub that did not start was not closed cleanly'))
    throw error
  }
}

/** A log in memory answers within the turn of the event loop: from time to time subscribers get one of theirs. */
const publishesPerTurn = 100

const nothing = (): void => {}
const silent: HubLog = { debug: nothing, info: nothing, warn: nothing, error: nothing }
