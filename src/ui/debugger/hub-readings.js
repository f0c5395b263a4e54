import { debugUrl } from './address.js'
import { readExposition, total } from './exposition.js'
import { credentials } from './identity.js'
import { ask, askJson, passes } from './request.js'

/** At a reading every two seconds: four minutes. */
const kept = 120
const published = 'mercure_updates_total'
const delivered = 'talaria_deliveries_total'

/** What the hub says of itself, and how it changes from reading to reading. */
export class HubReadings {
  hub
  metrics = new Map()
  refusal
  /** Asking once more would be answered the same. */
  get isRefused() {
    return this.refusal !== undefined && !passes(this.refusal)
  }

  /** Seconds, published a second, delivered a second: as a plot takes them. */
  rates = [[], [], []]
  #last

  async read() {
    const init = credentials()
    const hub = await askJson(debugUrl('hub.json'), init)
    // Who is refused the one is refused the other.
    const metrics = hub.ok ? await ask(debugUrl('metrics'), init) : hub
    this.refusal = metrics.refusal
    if (this.refusal !== undefined) return
    this.hub = hub.json
    this.metrics = readExposition(metrics.text)
    this.#rate({
      at: Date.now() / 1000,
      published: total(this.metrics, published),
      delivered: total(this.metrics, delivered),
    })
  }

  #rate(now) {
    const last = this.#last
    this.#last = now
    // Counters that have gone back are those of a hub that has started anew.
    if (last === undefined || now.published < last.published || now.delivered < last.delivered) return
    const seconds = now.at - last.at
    const values = [now.at, (now.published - last.published) / seconds, (now.delivered - last.delivered) / seconds]
    this.rates = this.rates.map((line, place) => [...line, values[place]].slice(-kept))
  }
}
