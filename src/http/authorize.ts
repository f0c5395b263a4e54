import { HubError, quote } from '../errors.ts'
import type { Generation } from '../protocol/generation.ts'
import type { Grant } from '../protocol/grant.ts'

/** What a token must say for an action: the rules behind every 403 of generation 1.0 and their 401 of 0.x. */

/**
 * A 0.x token must speak of publishing at all before its body is read; one of 1.0 is asked when the topics are known.
 * @throws HubError `token_missing`, `publish_not_granted`
 */
export function requirePublisher(grant: Grant | null, generation: Generation): Grant {
  if (grant === null) {
    throw new HubError('token_missing', 'Publishing needs a token: send "Authorization: Bearer <JWT>".', { generation })
  }
  if (grant.generation === '0.x' && grant.publish === null) throw publishNotGranted(grant)
  return grant
}

/** Every topic, alternates included, must be granted. @throws HubError `publish_not_granted`, `topic_not_granted` */
export function requireTopics(grant: Grant, topics: readonly string[]): void {
  const { generation, publish } = grant
  if (publish === null) throw publishNotGranted(grant)
  const refused = topics.find(topic => !publish.some(matcher => matcher.matches(topic)))
  if (refused === undefined) return
  throw new HubError(
    'topic_not_granted',
    `The token does not grant publishing to ${quote(refused)}: every topic of an update must be granted.`,
    { generation },
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

const publishNotGranted = (grant: Grant): HubError =>
  new HubError('publish_not_granted', `The token grants no publishing: ${lacks(grant, 'publish')}.`, {
    generation: grant.generation,
  })

const lacks = (grant: Grant, action: 'publish' | 'subscribe'): string =>
  grant.generation === '0.x'
    ? `its "mercure" claim has no "${action}" list`
    : `none of its authorization_details of type https://mercure.rocks/authorization-detail has the action "${action}"`
