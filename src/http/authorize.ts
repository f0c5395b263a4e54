import { HubError, quote } from '../errors.ts'
import type { Generation } from '../protocol/generation.ts'
import type { Grant } from '../protocol/grant.ts'
import { checkAddress, createUpdate, maxTopicsPerUpdate, type Update, type UpdateFields } from '../protocol/update.ts'
import { isLowered, type RequestBounds, within } from './bounds.ts'
import { mendOf } from './tokens/doubt.ts'

/** What a token must say for an action: the rules behind every 403 of generation 1.0 and their 401 of 0.x. */

const sendToken = 'Send "Authorization: Bearer <JWT>", or the token in the hub\'s cookie'

/**
 * A 0.x token must speak of publishing at all before its body is read; one of 1.0 is asked when the topics are known.
 * @throws HubError `token_missing`, `publish_not_granted`
 */
export function requirePublisher(grant: Grant | null, generation: Generation): Grant {
  if (grant === null) {
    throw new HubError('token_missing', 'Publishing needs a token.', { generation, mend: `${sendToken}.` })
  }
  if (grant.generation === '0.x' && grant.publish === null) throw publishNotGranted(grant)
  return grant
}

/** A batch is not worth reading where nothing of it could be published. @throws HubError `publish_not_granted` */
export function requirePublishing(grant: Grant): void {
  if (grant.publish === null) throw publishNotGranted(grant)
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
    {
      generation,
      mend: `Add it, or a pattern that matches it, to ${generation === '0.x' ? 'its "mercure.publish" list' : 'the topics of a detail with the action "publish"'}.`,
    },
  )
}

/**
 * The update that a request's fields make, if its token may publish it.
 * @throws HubError what is wrong with the fields, `publish_not_granted`, `topic_not_granted`
 */
export function admitUpdate(
  fields: UpdateFields,
  grant: Grant,
  { topics }: Pick<RequestBounds, 'topics'>,
  createId: () => string,
): Update {
  const setting = isLowered(maxTopicsPerUpdate, topics) ? 'limits.topics' : undefined
  checkAddress(fields, grant.generation, within(maxTopicsPerUpdate, topics), setting)
  requireTopics(grant, fields.topics)
  return createUpdate(fields, grant.generation, createId)
}

/**
 * A token is needed where anonymous subscribers are not allowed; what it grants decides about private updates alone.
 * @throws HubError `token_missing`
 */
export function requireSubscriber(grant: Grant | null, generation: Generation, allowAnonymous: boolean): void {
  if (grant !== null || allowAnonymous) return
  throw new HubError('token_missing', 'Subscribing needs a token: this hub does not allow anonymous subscribers.', {
    generation,
    mend: `${sendToken} (EventSource: withCredentials); or set allow_anonymous in the configuration of the hub.`,
  })
}

/**
 * The subscription API is read by those whose token grants subscribing to one of the texts that name the resource.
 * @throws HubError `token_missing`, `subscribe_not_granted`
 */
export function requireReader(grant: Grant | null, generation: Generation, names: readonly string[]): void {
  if (grant === null) {
    throw new HubError('token_missing', 'Reading subscriptions needs a token.', { generation, mend: `${sendToken}.` })
  }
  if (grant.subscribe?.some(matcher => names.some(name => matcher.matches(name)))) return
  const refused = quote(names[0]!)
  const reason = grant.subscribe === null ? lacks(grant, 'subscribe') : 'none of its subscribe matchers matches'
  throw new HubError('subscribe_not_granted', `The token does not grant subscribing to ${refused}: ${reason}.`, {
    generation: grant.generation,
    mend: mendOf(grant.doubt, 'Let it grant subscribing to that, or to "*".'),
  })
}

const publishNotGranted = (grant: Grant): HubError =>
  new HubError('publish_not_granted', `The token grants no publishing: ${lacks(grant, 'publish')}.`, {
    generation: grant.generation,
    mend: mendOf(grant.doubt, 'Have one issued that names the topics there.'),
  })

const lacks = (grant: Grant, action: 'publish' | 'subscribe'): string =>
  grant.generation === '0.x'
    ? `its "mercure" claim has no "${action}" list`
    : `none of its authorization_details of type https://mercure.rocks/authorization-detail has the action "${action}"`
