import { debugUrl, hubUrl, subscriptionsUrl } from './address.js'
import { EventStream } from './event-stream.js'
import { ask, askJson, passes } from './request.js'
import { createSignal } from './store.js'

const maxSubscriptions = 20_000
const maxEvents = 50
const retryMs = 3000
/** Node names are asked for when subscribers have come, and at most so often. */
const nodesEveryMs = 2000

const media = { '0.x': 'application/ld+json', '1.0': 'application/json' }

/**
 * Who is subscribed now, in one generation's terms: the list of the API, then the events from where the list was read.
 * @typedef {{id: string, generation: '0.x' | '1.0', kind: string, pattern: string, subscriber: string, payload: unknown}} Subscription
 */
export class SubscriptionList {
  changed = createSignal()
  /** By id. @type {Map<string, Subscription>} */
  subscriptions = new Map()
  /** Who came and went, newest first. */
  events = []
  state = { name: 'connecting', reason: '' }
  nodes = { nodes: [], of: {} }
  #generation
  #authorize
  #source
  #timer
  #nodesTimer
  #closed = false
  #number = 0

  /** @param {() => RequestInit} authorize the headers and credentials of each request */
  constructor(generation, authorize) {
    this.#generation = generation
    this.#authorize = authorize
  }

  get generation() {
    return this.#generation
  }

  async load() {
    this.#leave()
    clearTimeout(this.#timer)
    const init = this.#authorize()
    const answer = await askJson(subscriptionsUrl, {
      ...init,
      headers: { ...init.headers, Accept: media[this.#generation] },
    })
    if (this.#closed) return
    if (!answer.ok) {
      const { refusal } = answer
      const again = passes(refusal)
      this.#setState({ name: again ? 'retrying' : 'ended', reason: refusal.message, refusal })
      if (again) this.#timer = setTimeout(() => this.load(), retryMs)
      return
    }
    const { json, headers } = answer
    this.subscriptions = new Map(json.subscriptions.slice(0, maxSubscriptions).map(item => [item.id, read(item)]))
    // A cookie's generation is known by the answer.
    this.#generation = json.lastEventID === undefined ? '1.0' : '0.x'
    this.#askNodes()
    this.#follow(json.id.replace(/\?.*$/, ''), json.lastEventID ?? readCursor(headers.get('Link')))
  }

  close() {
    this.#closed = true
    clearTimeout(this.#timer)
    clearTimeout(this.#nodesTimer)
    this.#leave()
  }

  #leave() {
    const source = this.#source
    this.#source = undefined
    source?.close()
  }

  #follow(path, lastEventId) {
    const matcher =
      this.#generation === '0.x'
        ? new URLSearchParams({ topic: `${path}{/topic}{/subscriber}` })
        : new URLSearchParams({ match_urlpattern: `${path}/:match_type/:match/:subscriber` })
    let opened = false
    const source = new EventStream({
      url: `${hubUrl}?${matcher}`,
      lastEventId,
      authorize: this.#authorize,
      onUpdate: ({ data }) => this.#take(data),
      onState: state => {
        if (this.#source !== source) return
        // What happened while the stream was cut may not have been announced: the list is read again.
        if (state.name === 'open' && opened) return void this.load()
        opened ||= state.name === 'open'
        this.#setState(state)
      },
    })
    this.#source = source
    source.connect()
  }

  #take(data) {
    let item
    try {
      item = JSON.parse(data)
    } catch {
      return
    }
    if (typeof item?.id !== 'string' || typeof item.subscriber !== 'string') return
    const subscription = read(item)
    if (item.active) {
      if (this.subscriptions.size < maxSubscriptions) this.subscriptions.set(item.id, subscription)
      this.#nodesTimer ??= setTimeout(() => this.#askNodes(), nodesEveryMs)
    } else this.subscriptions.delete(item.id)
    this.events = [{ number: ++this.#number, at: Date.now(), active: item.active, subscription }, ...this.events].slice(
      0,
      maxEvents,
    )
    this.changed.tell()
  }

  async #askNodes() {
    this.#nodesTimer = undefined
    const answer = await ask(debugUrl('subscribers.json'), this.#authorize())
    if (!answer.ok || this.#closed) return
    this.nodes = JSON.parse(answer.text)
    this.changed.tell()
  }

  #setState(state) {
    this.state = state
    this.changed.tell()
  }
}

const read = item => ({
  id: item.id,
  generation: item.match === undefined ? '0.x' : '1.0',
  kind: item.match_type ?? 'topic',
  pattern: item.match ?? item.topic,
  subscriber: item.subscriber,
  payload: item.payload,
})

/** `last-event-id` of the Link header that names the hub (RFC 8288). */
function readCursor(link) {
  const [, quoted] = /last-event-id="((?:[^"\\]|\\.)*)"/.exec(link ?? '') ?? []
  return quoted?.replace(/\\(.)/g, '$1')
}
