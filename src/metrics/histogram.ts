import type { Metric, Registry } from 'prom-client'

/** Values by size. */
export interface Distribution {
  /** For each bound, how many were at most that. */
  readonly within: readonly number[]
  readonly count: number
  readonly sum: number
}

export interface HistogramOptions {
  readonly name: string
  readonly help: string
  /** Ascending. */
  readonly bounds: readonly number[]
}

/**
 * Counts values by size, for a path where each nanosecond is one of an update: the library's own histogram takes a hundred for
 * each, to look up labels that there are none of.
 */
export class Tally {
  readonly #bounds: Float64Array
  /** Of each bound's own, and of those past the last one. */
  readonly #counts: Float64Array
  #sum = 0

  constructor(bounds: readonly number[]) {
    this.#bounds = Float64Array.from(bounds)
    this.#counts = new Float64Array(bounds.length + 1)
  }

  add(value: number): void {
    const bounds = this.#bounds
    let i = 0
    while (i < bounds.length && value > bounds[i]!) i++
    this.#counts[i]!++
    this.#sum += value
  }

  read(): Distribution {
    let count = 0
    const within = Array.from(this.#counts, own => {
      count += own
      return count
    })
    return { within: within.slice(0, -1), count, sum: this.#sum }
  }
}

/** A histogram that is counted elsewhere; those of several processes are added up. */
export function registerHistogram(
  registry: Registry,
  { name, help, bounds }: HistogramOptions,
  read: () => Distribution,
): void {
  const head = { name, help, type: 'histogram', aggregator: 'sum' }
  const get = async () => {
    const { within, count, sum } = read()
    const bucket = (le: number | string, value: number) => ({ metricName: `${name}_bucket`, labels: { le }, value })
    return {
      ...head,
      values: [
        ...bounds.map((bound, i) => bucket(bound, within[i]!)),
        bucket('+Inf', count),
        { metricName: `${name}_sum`, labels: {}, value: sum },
        { metricName: `${name}_count`, labels: {}, value: count },
      ],
    }
  }
  // What the registry wants of a metric is a name and this function; its type asks for one of the library's classes.
  registry.registerMetric({ ...head, get } as unknown as Metric)
}

/** Registers a histogram and gives what counts for it. */
export function openHistogram(registry: Registry, options: HistogramOptions): Tally {
  const tally = new Tally(options.bounds)
  registerHistogram(registry, options, () => tally.read())
  return tally
}
