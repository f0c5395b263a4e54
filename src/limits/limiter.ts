import { HubError } from '../errors.ts'
import { Rate } from './rate.ts'
import { Tally } from './tally.ts'

/** Of one node, all its processes together; 0: no limit. */
export interface Limits {
  /** Streams of subscribers. */
  readonly connections: number
  readonly connectionsPerIp: number
  readonly connectionsPerSubject: number
  readonly publishesPerSecond: number
  readonly publishesPerSecondPerSubject: number
}

/** Whose stream it is. */
export interface Sender {
  /** The address, or the network, by which streams are counted; `undefined`: none is known, and none is counted. */
  readonly address: string | undefined
  /** The `sub` of the token; `undefined`: it has none, and is not counted by subject. */
  readonly subject: string | undefined
}

export type Release = () => void

/** Says whether there is room. In the process that counts the answer is there at once. */
export interface Limiter {
  /**
   * Counts a stream until what is returned is called.
   * @throws HubError `connections_of_ip_too_many`, `connections_of_subject_too_many`, `connections_too_many`; a promise rejects with the same
   */
  admitStream(sender: Sender): Release | Promise<Release>
  /**
   * Counts updates, of the bearer of a token with this `sub`. Several may not be more than a second's: what they took from the rate all others
   * would have to wait for.
   * @throws HubError `updates_too_many`, `publishes_of_subject_too_many`, `publishes_too_many`; a promise rejects with the same
   */
  admitPublish(subject: string | undefined, updates?: number): void | Promise<void>
}

/** Streams are counted. */
export const limitsStreams = ({ connections, connectionsPerIp, connectionsPerSubject }: Limits): boolean =>
  connections > 0 || connectionsPerIp > 0 || connectionsPerSubject > 0

/** Updates are counted. */
export const limitsPublishes = ({ publishesPerSecond, publishesPerSecondPerSubject }: Limits): boolean =>
  publishesPerSecond > 0 || publishesPerSecondPerSubject > 0

export const isLimiting = (limits: Limits): boolean => limitsStreams(limits) || limitsPublishes(limits)

/** Nobody knows when a stream ends: those who are sent away come back spread over this time, in milliseconds. */
const comeBackMs = { least: 5000, most: 30_000 }

/** Counts in this process. `now`: milliseconds of a clock that never goes back. */
export class NodeLimiter implements Limiter {
  readonly #limits: Limits
  readonly #now: () => number
  #streams = 0
  readonly #ofAddress = new Tally()
  readonly #ofSubject = new Tally()
  readonly #rate: Rate
  readonly #rateOfSubject: Rate

  constructor(limits: Limits, now: () => number = () => performance.now()) {
    this.#limits = limits
    this.#now = now
    this.#rate = new Rate(limits.publishesPerSecond)
    this.#rateOfSubject = new Rate(limits.publishesPerSecondPerSubject)
  }

  /** What is remembered of senders: nothing where nobody is connected, and nobody has published within the last second. */
  get remembered(): number {
    const now = this.#now()
    return this.#ofAddress.size + this.#ofSubject.size + this.#rate.size(now) + this.#rateOfSubject.size(now)
  }

  admitStream({ address, subject }: Sender): Release {
    const { connections, connectionsPerIp, connectionsPerSubject } = this.#limits
    // What is the sender's own fault is told first: another node would say the same.
    if (isReached(connectionsPerIp, this.#ofAddress.of(address))) {
      throw tooManyStreams(
        'connections_of_ip_too_many',
        `Your address has ${connectionsPerIp} streams at this node, as many as it may (limits.connections_per_ip).`,
        closeOne,
      )
    }
    if (isReached(connectionsPerSubject, this.#ofSubject.of(subject))) {
      throw tooManyStreams(
        'connections_of_subject_too_many',
        `The subject of this token has ${connectionsPerSubject} streams at this node, as many as it may (limits.connections_per_subject).`,
        closeOne,
      )
    }
    if (isReached(connections, this.#streams)) {
      throw tooManyStreams(
        'connections_too_many',
        `This node has ${connections} streams, as many as it may (limits.connections).`,
        'Come back later, or go to another node.',
      )
    }
    this.#streams++
    if (connectionsPerIp > 0) this.#ofAddress.add(address)
    if (connectionsPerSubject > 0) this.#ofSubject.add(subject)
    let isCounted = true
    return () => {
      if (!isCounted) return
      isCounted = false
      this.#streams--
      if (connectionsPerIp > 0) this.#ofAddress.remove(address)
      if (connectionsPerSubject > 0) this.#ofSubject.remove(subject)
    }
  }

  admitPublish(subject: string | undefined, updates = 1): void {
    const { publishesPerSecond, publishesPerSecondPerSubject } = this.#limits
    if (subject !== undefined) requireFew(updates, publishesPerSecondPerSubject, 'publishes_per_second_per_subject')
    requireFew(updates, publishesPerSecond, 'publishes_per_second')
    const now = this.#now()
    const ofSubjectMs = subject === undefined ? 0 : this.#rateOfSubject.waitMs(subject, now)
    if (ofSubjectMs > 0) {
      throw new HubError(
        'publishes_of_subject_too_many',
        `The subject of this token publishes more than ${publishesPerSecondPerSubject} updates a second (limits.publishes_per_second_per_subject).`,
        { mend: slowDown, retryAfterMs: ofSubjectMs },
      )
    }
    const ofAllMs = this.#rate.waitMs(everybody, now)
    if (ofAllMs > 0) {
      throw new HubError(
        'publishes_too_many',
        `More than ${publishesPerSecond} updates a second are published to this node (limits.publishes_per_second).`,
        { mend: slowDown, retryAfterMs: ofAllMs },
      )
    }
    // Who is refused takes nothing.
    if (subject !== undefined) this.#rateOfSubject.take(subject, updates, now)
    this.#rate.take(everybody, updates, now)
  }
}

const everybody = ''
const closeOne = 'Close one, or subscribe to several topics with one.'
const slowDown = 'Wait for as long as Retry-After says.'

function requireFew(updates: number, perSecond: number, setting: string): void {
  if (perSecond === 0 || updates <= perSecond) return
  throw new HubError(
    'updates_too_many',
    `A body has at most as many updates as may be published in a second, ${perSecond} (limits.${setting}); this one has ${updates}.`,
    { mend: 'Send several, one after the other.' },
  )
}

const isReached = (limit: number, count: number): boolean => limit > 0 && count >= limit

const tooManyStreams = (
  code: 'connections_of_ip_too_many' | 'connections_of_subject_too_many' | 'connections_too_many',
  says: string,
  mend: string,
): HubError =>
  new HubError(code, says, {
    mend,
    retryAfterMs: comeBackMs.least + Math.random() * (comeBackMs.most - comeBackMs.least),
  })
