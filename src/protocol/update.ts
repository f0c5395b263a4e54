/** What a publisher sends: one event of the log. */
export interface Update {
  readonly id: string
  /** The first is the canonical topic, the others are alternates. Never empty. */
  readonly topics: readonly string[]
  readonly data: string
  /** The event's type; empty: none. */
  readonly type: string
  /** Reconnection time for clients, in milliseconds; 0: none. */
  readonly retry: number
  /** Delivered only to subscribers whose token grants one of the topics. */
  readonly private: boolean
}
