import { createSignal } from './store.js'

/** What a tab keeps of a stream: the newest updates, bounded in number and in characters. */
const maxUpdates = 5000
const maxCharacters = 32 * 1024 * 1024

/**
 * The updates of one stream as they are shown: filtered, and frozen while paused. What comes meanwhile is kept and counted.
 * @typedef {{seq: number, at: number, id: string, type: string, data: string, retry: number | undefined}} Received
 */
export class UpdateLog {
  changed = createSignal()
  received = 0
  /** Updates that have come and were not kept. */
  forgotten = 0
  filter = ''
  #updates = []
  #characters = 0
  #shown = []
  #paused

  /** Oldest first. @returns {readonly Received[]} */
  get shown() {
    return this.#paused?.shown ?? this.#shown
  }

  get paused() {
    return this.#paused !== undefined
  }

  /** How many have come since the pause. */
  get heldBack() {
    return this.#paused === undefined ? 0 : this.received - this.#paused.received
  }

  add(update) {
    const entry = { seq: ++this.received, at: Date.now(), ...update }
    this.#updates.push(entry)
    this.#characters += entry.data.length
    if (this.#matches(entry)) this.#shown.push(entry)
    if (this.#updates.length > maxUpdates * 1.2 || this.#characters > maxCharacters) this.#trim()
    this.changed.tell()
  }

  setFilter(filter) {
    this.filter = filter.toLowerCase()
    this.#shown = this.#updates.filter(entry => this.#matches(entry))
    if (this.#paused !== undefined) {
      const until = this.#paused.received
      this.#paused = { received: until, shown: this.#shown.filter(({ seq }) => seq <= until) }
    }
    this.changed.tell()
  }

  pause() {
    this.#paused = { received: this.received, shown: [...this.#shown] }
    this.changed.tell()
  }

  resume() {
    this.#paused = undefined
    this.changed.tell()
  }

  clear() {
    this.#updates = []
    this.#shown = []
    this.#characters = 0
    this.forgotten = 0
    if (this.#paused !== undefined) this.#paused = { received: this.received, shown: [] }
    this.changed.tell()
  }

  /** In pieces, so that a fast stream does not move the whole list for each update. */
  #trim() {
    let first = Math.max(0, this.#updates.length - maxUpdates)
    for (let place = 0; place < first; place++) this.#characters -= this.#updates[place].data.length
    while (this.#characters > maxCharacters && first < this.#updates.length - 1) {
      this.#characters -= this.#updates[first++].data.length
    }
    this.forgotten += first
    this.#updates = this.#updates.slice(first)
    const oldest = this.#updates[0].seq
    this.#shown = this.#shown.slice(this.#shown.findIndex(({ seq }) => seq >= oldest))
  }

  #matches({ id, type, data }) {
    const { filter } = this
    return filter === '' || [data, type, id].some(text => text.toLowerCase().includes(filter))
  }
}
