import { LRUCache } from 'lru-cache'
import { maxPatternTopicLength } from '../topic.ts'

/** The components of a URL, in the order in which patterns are best refuted. */
export const components = [
  'pathname',
  'hostname',
  'protocol',
  'port',
  'search',
  'hash',
  'username',
  'password',
] as const
export type Component = (typeof components)[number]

/** A topic's canonical components, in the order of `components`, without their delimiters: `https`, not `https:`. All ASCII. */
export type TopicUrl = readonly string[]

/** `example.com/books/1` */
export const hostAndPathOf = (url: TopicUrl): string =>
  url[components.indexOf('hostname')]! + url[components.indexOf('pathname')]!

/** An update's topics are asked for by one matcher after another. Bounds the characters kept, and with them the entries. */
const maxCachedCharacters = 256 * 1024
const minCachedCharacters = 256

/** Resolves topics against a base URL. `null`: the topic is no URL, or longer than patterns are matched against. */
export function createTopicUrls(base: string): (topic: string) => TopicUrl | null {
  const cache = new LRUCache<string, { url: TopicUrl | null }>({
    maxSize: maxCachedCharacters,
    sizeCalculation: ({ url }, topic) => Math.max(topic.length + (url?.join('').length ?? 0), minCachedCharacters),
  })
  let lastTopic: string | undefined
  let last: TopicUrl | null = null
  return topic => {
    if (topic === lastTopic) return last
    if (topic.length > maxPatternTopicLength) return null
    let known = cache.get(topic)
    if (!known) {
      known = { url: parse(topic, base) }
      cache.set(topic, known)
    }
    lastTopic = topic
    last = known.url
    return last
  }
}

function parse(topic: string, base: string): TopicUrl | null {
  const url = URL.parse(topic, base)
  if (url === null || url.href.length > maxPatternTopicLength) return null
  return [
    url.pathname,
    url.hostname,
    url.protocol.slice(0, -1),
    url.port,
    url.search.slice(1),
    url.hash.slice(1),
    url.username,
    url.password,
  ]
}
