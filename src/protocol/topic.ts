/** The path of the hub, and with everything below it the namespace of the topics that only the hub publishes. */
export const hubPath = '/.well-known/mercure'

/** The URL that stands in for the hub's where that is not known: relative topics and patterns are resolved against it. */
export const unknownHubUrl = `http://mercure.invalid${hubPath}`

/**
 * The longest topic that patterns and templates are matched against, in UTF-16 code units, as sent and as a canonical URL.
 * A longer topic is matched by equality and by `*` only.
 */
export const maxPatternTopicLength = 4096

/**
 * What no matcher, topic, id or event type of generation 1.0 may contain: control characters (C0, DEL, C1), format characters
 * (Unicode category Cf: zero width and bidirectional marks) and lone surrogates, which valid UTF-8 cannot give. Linear.
 */
export function hasForbiddenCharacters(text: string): boolean {
  return /[\p{Cc}\p{Cf}\p{Cs}]/u.test(text)
}

/**
 * Generation 1.0: the topic, resolved against the hub's URL, has a path in the hub's namespace, whatever its scheme and host.
 * An escaped character that needs no escape is the same as the character.
 *
 * A topic too long for patterns is not resolved (parsing an authority is not linear) and is reserved as soon as it could be.
 */
export function isReserved(topic: string, hubUrl: string = unknownHubUrl): boolean {
  if (topic.length > maxPatternTopicLength) return couldBeReserved(topic)
  const url = URL.parse(topic, hubUrl)
  if (url === null) return false
  const path = decodeUnreserved(url.pathname)
  return path === hubPath || path.startsWith(`${hubPath}/`)
}

/** Generation 0.x: the hub's path occurs anywhere in the topic. */
export function referencesReserved(topic: string): boolean {
  return topic.includes(hubPath)
}

/** It has no path of its own, or the last segment of the hub's path is in it, perhaps escaped. */
function couldBeReserved(topic: string): boolean {
  const isPathless = /^\s*(?:[a-z][a-z0-9+.-]*:)?[?#]/i.test(topic)
  return isPathless || /(?:m|%6[dD])(?:e|%65)(?:r|%72)(?:c|%63)(?:u|%75)(?:r|%72)(?:e|%65)/.test(topic)
}

function decodeUnreserved(path: string): string {
  return path.replace(/%[0-9A-Fa-f]{2}/g, triple => {
    const character = String.fromCharCode(Number.parseInt(triple.slice(1), 16))
    return /[A-Za-z0-9\-._~]/.test(character) ? character : triple
  })
}
