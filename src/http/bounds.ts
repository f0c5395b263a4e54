/** What one request may have, where that is less than the hub itself takes; 0: as much as that. */
export interface RequestBounds {
  /** Topics of an update. */
  readonly topics: number
  /** Matchers of a subscription. */
  readonly matchers: number
  /** Characters of a matcher. */
  readonly patternLength: number
}

/** A configured bound is the one that holds. */
export const isLowered = (own: number, configured: number): boolean => configured > 0 && configured < own

/** The smaller of the hub's own bound and a configured one. */
export const within = (own: number, configured: number): number => (isLowered(own, configured) ? configured : own)
