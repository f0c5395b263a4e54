/** The page lies at `…/.well-known/mercure/debug/`, wherever the hub is mounted. */
export const hubUrl = new URL('..', location.href).href.replace(/\/$/, '')

/** The collection of the subscription API. */
export const subscriptionsUrl = `${hubUrl}/subscriptions`

/** What the hub offers this page alone. */
export const debugUrl = name => new URL(name, location.href.replace(/[?#].*$/, '')).href

/** HTTP/1.1: browsers open six connections to a host, and each stream keeps one. */
export const connectionsAreScarce = () => {
  const [navigation] = performance.getEntriesByType('navigation')
  return !/^h[23]/.test(navigation?.nextHopProtocol ?? '')
}
export const maxConnections = 6
