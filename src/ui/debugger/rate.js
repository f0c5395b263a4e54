/** Counts per second over the last minute. */
export class Rate {
  #counts = new Float64Array(61)
  #second = currentSecond()

  add(count = 1) {
    this.#advance()
    this.#counts[this.#second % this.#counts.length] += count
  }

  /** Of the last whole second. */
  get perSecond() {
    this.#advance()
    return this.#counts[(this.#second - 1) % this.#counts.length]
  }

  /** @returns {[seconds: number[], counts: number[]]} whole seconds, oldest first, as a plot takes them */
  series() {
    this.#advance()
    const seconds = Array.from({ length: 60 }, (_, place) => this.#second - 60 + place)
    return [seconds, seconds.map(second => this.#counts[second % this.#counts.length])]
  }

  #advance() {
    const now = currentSecond()
    const from = Math.max(this.#second + 1, now - this.#counts.length + 1)
    for (let second = from; second <= now; second++) this.#counts[second % this.#counts.length] = 0
    this.#second = Math.max(now, this.#second)
  }
}

const currentSecond = () => Math.floor(Date.now() / 1000)
