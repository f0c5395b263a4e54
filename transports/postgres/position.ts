import type { Trail } from './trail.ts'

/** The numbers of a log, until it turns out to have lost some: then they mean other updates, and the next era begins. */
export interface Timeline {
  era: number
  /** What was delivered last. */
  readonly trail: Trail
}

export const positionOf = (number: number, { era }: Pick<Timeline, 'era'>): string =>
  era === 0 ? `${number}` : `${number}.${era}`

/** The number at a position; `undefined` for a text that is none, or of another era. */
export function numberAt(position: string, { era }: Pick<Timeline, 'era'>): number | undefined {
  const [, number, ofEra = '0'] = /^(\d{1,15})(?:\.(\d{1,9}))?$/.exec(position) ?? []
  return number !== undefined && Number(ofEra) === era ? Number(number) : undefined
}
