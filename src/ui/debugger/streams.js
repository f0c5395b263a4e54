import { hubUrl } from './address.js'
import { EventStream } from './event-stream.js'
import { credentials, describeIdentity } from './identity.js'
import { Rate } from './rate.js'
import { createSignal, createStore } from './store.js'
import { UpdateLog } from './update-log.js'

export const maxStreams = 12

/** The streams side by side, in the order of their opening. */
export const streams = createStore([])
let opened = 0

/** The parameters that ask for a matcher, by what the page calls it. */
export const matcherKinds = [
  {
    kind: 'topic',
    parameter: 'topic',
    generation: '0.x',
    name: 'Topic or URI Template',
    placeholder: 'https://example.com/books/{id}',
  },
  {
    kind: 'exact',
    parameter: 'match',
    generation: '1.0',
    name: 'Exact topic',
    placeholder: 'https://example.com/books/1',
  },
  {
    kind: 'urlpattern',
    parameter: 'match_urlpattern',
    generation: '1.0',
    name: 'URL Pattern',
    placeholder: 'https://example.com/books/:id',
  },
]

/** Where a stream of these matchers is read. */
export function streamUrl(matchers) {
  const query = new URLSearchParams()
  for (const { kind, pattern } of matchers) query.append(matcherKinds.find(one => one.kind === kind).parameter, pattern)
  return `${hubUrl}?${query}`
}

/** @param {{kind: string, pattern: string}[]} matchers */
export function openStream(matchers, lastEventId) {
  const log = new UpdateLog()
  const rate = new Rate()
  const changed = createSignal()
  const entry = { number: ++opened, matchers, log, rate, changed, as: describeIdentity(), gap: undefined }
  entry.source = new EventStream({
    url: streamUrl(matchers),
    lastEventId,
    authorize: () => {
      entry.as = describeIdentity()
      return credentials()
    },
    onUpdate: update => {
      rate.add()
      log.add(update)
    },
    onState: () => {
      changed.tell()
      streams.set(streams.value)
    },
    onGap: askedFor => {
      entry.gap = askedFor
    },
  })
  streams.set([...streams.value, entry])
  entry.source.connect()
}

export function removeStream(entry) {
  entry.source.close()
  streams.set(streams.value.filter(other => other !== entry))
}
