import type { Bench } from './bench.ts'

/** A line of the table. */
export interface Row {
  readonly what: string
  /** The figures of all runs, in the order measured; none where it could not be measured, with the reason in `from`. */
  readonly figures: readonly number[]
  readonly format: (figure: number) => string
  /** The bound for the median, and which side of it is wanted; `undefined`: for information. */
  readonly target?: { readonly most: number } | { readonly least: number } | undefined
  /** What the figure is made of, such as both sides of a ratio. */
  readonly from?: string
}

/** Measures some rows that share their preparation. */
export type Measure = (bench: Bench) => Promise<Row[]>

export function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export const whole = (figure: number): string => Math.round(figure).toLocaleString('en')
export const perSecond = (figure: number): string => `${whole(figure)}/s`
export const ratio = (figure: number): string => `${figure.toFixed(2)} ×`
export const micros = (figure: number): string => `${figure.toFixed(2)} µs`
export const millis = (figure: number): string => `${figure < 10 ? figure.toFixed(1) : whole(figure)} ms`
export const kib = (figure: number): string => `${figure.toFixed(1)} KiB`
