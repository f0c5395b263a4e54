import { z } from 'zod'
import { HubError } from '../../errors.ts'
import type { Generation } from '../../protocol/generation.ts'
import { hubPath } from '../../protocol/topic.ts'
import type { RemoteHub } from './hub-options.ts'
import { request } from './request.ts'

/** A subscription as a hub of either generation writes it; what else it says of it is kept. */
const item = z.looseObject({
  id: z.string(),
  subscriber: z.string(),
  topic: z.string().optional(),
  match: z.string().optional(),
  match_type: z.string().optional(),
  active: z.boolean(),
  payload: z.unknown().optional(),
})
export type ListedSubscription = z.infer<typeof item>

const list = z.object({
  type: z.enum(['Subscriptions', 'subscriptions']),
  lastEventID: z.string().optional(),
  subscriptions: z.array(item),
})

export interface SubscriptionList {
  readonly generation: Generation
  readonly subscriptions: readonly ListedSubscription[]
  /** After which event the list changes. */
  readonly lastEventId: string | undefined
}

/**
 * Who is subscribed now. The generation is the token's; without a token, the one that is wanted.
 * @throws Refusal, HubError `transport_unavailable`, and `configuration_invalid` for an answer of the other generation
 */
export async function readSubscriptionList(
  hub: RemoteHub,
  wanted: Generation | undefined,
  signal: AbortSignal,
): Promise<SubscriptionList> {
  const url = new URL(`${hub.url.href.replace(/[?#].*/s, '')}/subscriptions`)
  const headers = wanted === undefined ? {} : { Accept: mediaTypes[wanted] }
  const response = await request({ ...hub, url }, { headers, signal })
  const { data } = list.safeParse(await response.json().catch(() => undefined))
  if (data === undefined) throw invalid(`${url.href} answers with no list of subscriptions: is that a hub's URL?`)
  const generation = data.type === 'Subscriptions' ? '0.x' : '1.0'
  if (wanted !== undefined && generation !== wanted) {
    throw invalid(
      `The hub lists the subscriptions of ${generation}, the generation of the token: for those of ${wanted} give a token of ${wanted}.`,
    )
  }
  const lastEventId = data.lastEventID ?? readCursor(response.headers.get('Link'))
  return { generation, subscriptions: data.subscriptions, lastEventId }
}

/** The query of a stream of subscription events, for each generation. */
export const subscriptionEvents: Readonly<Record<Generation, URLSearchParams>> = {
  '0.x': new URLSearchParams({ topic: `${hubPath}/subscriptions{/topic}{/subscriber}` }),
  '1.0': new URLSearchParams({ match_urlpattern: `${hubPath}/subscriptions/:match_type/:match/:subscriber` }),
}

/** The subscription of an event; `undefined`: it tells of none. */
export function readSubscriptionEvent(data: string): ListedSubscription | undefined {
  try {
    return item.safeParse(JSON.parse(data)).data
  } catch {
    return undefined
  }
}

const mediaTypes: Readonly<Record<Generation, string>> = { '0.x': 'application/ld+json', '1.0': 'application/json' }

/** `last-event-id` of the link to the hub: `Link: </.well-known/mercure>; rel="mercure"; last-event-id="…"`. */
function readCursor(link: string | null): string | undefined {
  const value = /;\s*last-event-id="((?:[^"\\]|\\.)*)"/i.exec(link ?? '')?.[1]?.replace(/\\(.)/g, '$1')
  return value === undefined ? undefined : Buffer.from(value, 'latin1').toString()
}

const invalid = (rule: string): HubError => new HubError('configuration_invalid', rule)
