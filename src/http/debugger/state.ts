import { randomUUID } from 'node:crypto'
import type { Handler } from 'hono'
import { HubError } from '../../errors.ts'
import type { Hub } from '../../hub/hub.ts'
import type { Presence } from '../../hub/presence.ts'
import { subscriptionsPath } from '../../protocol/subscription.ts'
import { requireReader } from '../authorize.ts'
import type { Environment } from '../context.ts'
import type { Figures } from '../metrics.ts'
import { answerJson } from './json.ts'

/** What a hub is doing is for those who may read its whole list of subscriptions, by whatever token that is. */
export function forObservers(handler: Handler<Environment>): Handler<Environment> {
  return async (c, next) => {
    const request = c.get('request')
    const grant = await request.authenticate('subscriber')
    if (grant === null) {
      throw new HubError(
        'token_missing',
        `What this hub is doing is shown to a subscriber whose token grants ${subscriptionsPath}: send "Authorization: Bearer <JWT>".`,
        { generation: request.presumedGeneration },
      )
    }
    requireReader(grant, grant.generation, [subscriptionsPath])
    return handler(c, next)
  }
}

export interface StateOptions {
  readonly hub: Hub
  /** Of all processes of this node. */
  readonly figures: Figures
  readonly version: string
  readonly workers: number
  /** The scheme of the log's URL. */
  readonly transport: string
}

/** `GET debug/hub.json`. */
export function stateHandler({ hub, figures, version, workers, transport }: StateOptions): Handler<Environment> {
  const startedMs = performance.now()
  const loneNode = { id: randomUUID(), subscriptions: new Map<string, []>() }
  return async c => {
    const nodes = hub.presence?.nodes ?? [loneNode]
    const text = await figures.render()
    return answerJson(c, {
      version,
      transport,
      node: nodes[0].id,
      nodes: nodes.map(({ id, subscriptions }, index) => ({
        id,
        self: index === 0,
        subscriptions: subscriptions.values().reduce((sum, ofOne) => sum + ofOne.length, 0),
      })),
      connections: readFigure(text, 'mercure_subscribers_connected'),
      recent: hub.window,
      waitingBytes: readFigure(text, 'talaria_waiting_bytes'),
      lastEventId: hub.lastEventId,
      uptimeSeconds: Math.floor((performance.now() - startedMs) / 1000),
      workers,
    })
  }
}

/** A figure without labels, in the text format of Prometheus: with workers it is a sum that is known nowhere else. */
const readFigure = (text: string, name: string): number =>
  Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1] ?? 0)

/** `GET debug/metrics`: as at /metrics, wherever that is. */
export const figuresHandler =
  (figures: Figures): Handler<Environment> =>
  async c =>
    c.body(await figures.render(), 200, {
      ...c.get('request').answerHeaders,
      'Content-Type': figures.contentType,
      'Cache-Control': 'no-store',
    })

const maxSubscribers = 10_000

/** `GET debug/subscribers.json`: at which node each subscriber is. */
export function subscribersHandler(presence: Presence): Handler<Environment> {
  return c => {
    const { nodes } = presence
    const of: Record<string, number> = {}
    let left = maxSubscribers
    for (const [index, { subscriptions }] of nodes.entries()) {
      for (const subscriber of subscriptions.keys().take(left)) of[subscriber] = index
      left -= Math.min(left, subscriptions.size)
    }
    const all = nodes.reduce((sum, { subscriptions }) => sum + subscriptions.size, 0)
    return answerJson(c, { nodes: nodes.map(({ id }) => id), of, complete: all <= maxSubscribers })
  }
}
