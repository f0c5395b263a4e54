import type { Subscriber } from '../hub/subscriber.ts'
import type { Update } from '../protocol/update.ts'
import type { Facts } from '../tracing.ts'

/** A client chooses how many topics and matchers it sends, and their length: a span has the first of each. */
const maxListed = 20
const maxCharacters = 500

const shorten = (texts: readonly string[]): string[] =>
  texts.slice(0, maxListed).map(text => text.slice(0, maxCharacters))

/** An update without its data. */
export const describeUpdate = ({ id, topics, private: isPrivate }: Update): Facts => ({
  'mercure.update.id': id.slice(0, maxCharacters),
  'mercure.topics': shorten(topics),
  'mercure.private': isPrivate,
})

export const describeSubscriber = ({ id, matchers }: Subscriber): Facts => ({
  'mercure.subscriber.id': id,
  'mercure.matchers': shorten(matchers.slice(0, maxListed).map(({ kind, pattern }) => `${kind}:${pattern}`)),
})
