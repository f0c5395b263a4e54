import type { Bench } from '../bench.ts'
import { median, micros, perSecond } from '../row.ts'
import { costsOf } from './fan-out.ts'

/** What the floor takes per delivery (1,000 subscribers, one publish at a time) on the machine for which rates were set as targets, in µs. */
const referenceMicros = 2.63

/** How fast this machine is now, by its floor, and what targets in absolute figures mean on it. */
export class Pace {
  readonly #micros: number

  static async measure(bench: Bench): Promise<Pace> {
    if (!bench.isFloorNative) return new Pace(referenceMicros)
    const costs = await bench.repeat(() => costsOf(bench, bench.startFloor(), 1000, 1))
    return new Pace(median(costs.map(([cost]) => cost!.microsEach)))
  }

  private constructor(floorMicros: number) {
    this.#micros = floorMicros
  }

  /** A rate of that machine here. */
  target(rate: number): { least: number } {
    return { least: (rate * referenceMicros) / this.#micros }
  }

  explain(rate: number): string {
    return `${perSecond(rate)} where the floor takes ${micros(referenceMicros)} per delivery; here ${micros(this.#micros)}`
  }
}
