import { HubError, quote } from '../errors.ts'
import type { Generation } from '../protocol/generation.ts'
import type { Grant } from '../protocol/grant.ts'
import type { Matcher } from '../protocol/matcher.ts'

/** What a token must say for an action: the rules behind every 403 of generation 1.0 and their 401 of 0.x. */

/** @throws HubError `token_missing`, `publish_not_granted` */
export function requirePublisher(grant: Grant | null, generation: Generation): Grant & { publish: readonly Matcher[] } {
  if (grant === null) {
    throw new HubError('token_missing', 'Publishing needs a token: send "Authorization: Bearer <JWT>".', { generation })
  }
  if (mayPublish(grant)) return grant
  throw new HubError('publish_not_granted', `The token grants no publishing: ${lacks(grant, 'publish')}.`, {
    generation: grant.generation,
  })
}

/** Every topic, alternates included, must be granted. @throws HubError `topic_not_granted` */
export function requireTopics(grant: Grant & { publish: readonly Matcher[] }, topics: readonly string[]): void {
  const refused = topics.find(topic => !grant.publish.some(matcher => matcher.matches(topic)))
  if (refused === undefined) return
  throw new HubError(
    'topic_not_granted',
    `The token does not grant publishing to ${quote(refused)}: every topic of an update must be granted.`,
    { generation: grant.generation },
  )
}

/**
 * The subscription API is read by those whose token grants subscribing to one of the texts that name the resource.
 * @throws HubError `token_missing`, `subscribe_not_granted`
 */
export function requireReader(grant: Grant | null, generation: Generation, names: readonly string[]): void {
  if (grant === null) {
    throw new HubError('token_missing', 'Reading subscriptions needs a token: send "Authorization: Bearer <JWT>".', {
      generation,
    })
  }
  if (grant.subscribe?.some(matcher => names.some(name => matcher.matches(name)))) return
  const refused = quote(names[0]!)
  const reason = grant.subscribe === null ? lacks(grant, 'subscribe') : 'none of its subscribe matchers matches'
  throw new HubError('subscribe_not_granted', `The token does not grant subscribing to ${refused}: ${reason}.`, {
    generation: grant.generation,
  })
}

const mayPublish = (grant: Grant): grant is Grant & { publish: readonly Matcher[] } => grant.publish !== null

const lacks = (grant: Grant, action: 'publish' | 'subscribe'): string =>
  grant.generation === '0.x'
    ? `its "mercure" claim has no "${action}" list`
    : `none of its authorization_details of type https://mercure.rocks/authorization-detail has the action "${action}"`
