import type { Grant } from '../../protocol/grant.ts'
import type { Broadcast, Records } from '../../transport.ts'
import type { ClusterTimes } from '../cluster.ts'
import type { Subscriber } from '../subscriber.ts'
import { RevocationExchange } from './exchange.ts'
import { KeptRevocations } from './kept-revocations.ts'
import type { Ended } from './message.ts'
import type { Revocation, RevocationKind } from './revocation.ts'
import { RevocationList } from './revocation-list.ts'

export interface RevocationsOptions {
  /** Those that this node knows. Absent: none yet. */
  readonly list?: RevocationList | undefined
  /** The subscribers of this node. */
  readonly connected: Iterable<Subscriber>
  /** How the nodes of this hub speak to each other; `undefined`: there is one. */
  readonly broadcast: Broadcast | undefined
  /** Where the log keeps them; `undefined`: nowhere. */
  readonly records: Records | undefined
  readonly times: ClusterTimes
  readonly failed: (error: unknown, during: string) => void
}

/** What a revocation has done. */
export interface Outcome {
  /** `undefined`: the subscriber that it named had no token. */
  readonly revocation: Revocation | undefined
  /** Streams that it has closed, at all nodes. */
  readonly closed: number
  /** Nodes that have done what they had to, this one included. */
  readonly nodes: number
  /** Nodes that have not said so in time. */
  readonly silentNodes: number
  /** It has gone out to the other nodes, or there can be none. If not, those may not know yet that there is something to do. */
  readonly isSpread: boolean
  /** The log did not take it where it keeps them: it would be forgotten if all nodes were stopped. */
  readonly isUnkept: boolean
}

/** Far more than are under way at a time. */
const maxClosings = 100

/** Revokes tokens at all nodes: those who stream with one are ended, and it is refused from then on. */
export class Revocations {
  readonly list: RevocationList
  readonly #connected: Iterable<Subscriber>
  readonly #exchange: RevocationExchange | undefined
  readonly #kept: KeptRevocations | undefined
  readonly #failed: RevocationsOptions['failed']
  /** How many streams were closed here by what other nodes have told, by the newest revocation of each list. */
  readonly #closedBy = new Map<string, number>()

  constructor({ list = new RevocationList(), connected, broadcast, records, times, failed }: RevocationsOptions) {
    this.list = list
    this.#connected = connected
    this.#failed = failed
    this.#kept = records && new KeptRevocations(records, list)
    if (broadcast === undefined) return
    this.#exchange = new RevocationExchange({
      broadcast,
      times,
      list,
      take: revocations => this.#take(revocations),
      end: (subscriber, until) => this.#end(subscriber, until),
      failed,
    })
  }

  /** Resolves when this node knows what the log has kept. */
  async load(): Promise<void> {
    try {
      await this.#kept?.load()
    } catch (error) {
      this.#failed(error, 'reading what is revoked from the log')
    }
  }

  start(): void {
    this.#exchange?.start()
  }

  /** Of those in force, how many are forgotten when this node stops: no other node knows them, and the log does not keep them. */
  get endingHere(): number {
    const stay = this.#kept !== undefined || (this.#exchange?.peers ?? 0) > 0
    return stay ? 0 : this.list.inForce.length
  }

  leave(): void {
    this.#exchange?.leave()
  }

  /** Resolves when this node knows what the others know, or after this time: it may be alone. */
  async informed(withinMs: number): Promise<void> {
    await this.#exchange?.informed(withinMs)
  }

  /** @throws HubError `token_revoked` */
  check(grant: Grant | null): void {
    this.list.check(grant)
  }

  /**
   * Revokes what a token says or, for `subscription`, the token of a subscriber; `undefined`: no node has that subscriber.
   * @param until milliseconds since 1970; a subscriber's token has an end of its own. `null`: until it is taken back
   * @throws HubError `revocations_too_many`
   */
  async revoke(kind: RevocationKind, value: string, until: number | null): Promise<Outcome | undefined> {
    if (kind === 'subscription') return await this.#revokeSubscriber(value, until)
    const revocation = this.list.add({ kind, value }, until)
    return await this.#spread(revocation, this.#close())
  }

  /** `undefined`: there is none with this id. */
  async takeBack(id: string): Promise<Outcome | undefined> {
    const revocation = this.list.takeBack(id)
    return revocation && (await this.#spread(revocation, 0))
  }

  async #revokeSubscriber(subscriber: string, until: number | null): Promise<Outcome | undefined> {
    // Where it is another node that has the subscriber, its list is as long.
    this.list.requireRoom()
    let found = this.#end(subscriber, until)
    if (!found.isFound && this.#exchange !== undefined) {
      const { ended } = await this.#exchange.end(subscriber, until)
      found = ended.find(({ isFound }) => isFound) ?? found
    }
    if (!found.isFound) return undefined
    const { revocation, closed } = found
    if (revocation === undefined) {
      // It was at one node: the others have nothing to do.
      const nodes = 1 + (this.#exchange?.peers ?? 0)
      return { revocation, closed, nodes, silentNodes: 0, isSpread: true, isUnkept: false }
    }
    this.list.merge([revocation])
    return await this.#spread(revocation, closed + this.#close())
  }

  async #spread(revocation: Revocation, closedHere: number): Promise<Outcome> {
    const [answers, isKept] = await Promise.all([this.#exchange?.spread([revocation]), this.#keep(revocation)])
    const { ended, silent, isSent } = answers ?? { ended: [], silent: 0, isSent: true }
    const closed = ended.reduce((sum, { closed }) => sum + closed, closedHere)
    return {
      revocation,
      closed,
      nodes: 1 + ended.length,
      silentNodes: silent,
      isSpread: isSent,
      isUnkept: !isKept,
    }
  }

  /** False: it should have been kept, and was not. */
  async #keep(revocation: Revocation): Promise<boolean> {
    try {
      await this.#kept?.save(revocation)
      return true
    } catch (error) {
      this.#failed(error, 'keeping a revocation in the log')
      return false
    }
  }

  /** The subscriber is ended if it is here, and all that have its token. */
  #end(id: string, until: number | null): Ended {
    const subscriber = [...this.#connected].find(one => one.id === id)
    if (subscriber === undefined) return { closed: 0 }
    const { grant } = subscriber
    if (grant?.fingerprint === undefined) {
      subscriber.end('revoked')
      return { isFound: true, closed: 1 }
    }
    const { fingerprint: token, expiresAt = until } = grant
    const revocation = this.list.add({ kind: 'subscription', value: id, token }, expiresAt)
    return { isFound: true, closed: this.#close(), revocation }
  }

  /**
   * Takes what another node knows; how many streams that has closed here, or had closed already: a list that was asked for may come before the
   * request whose sender is to be told.
   */
  #take(revocations: readonly Revocation[]): number {
    if (!this.list.merge(revocations)) {
      return revocations.reduce((sum, { id, changedAt }) => sum + (this.#closedBy.get(`${id} ${changedAt}`) ?? 0), 0)
    }
    const closed = this.#close()
    const newest = revocations.reduce((one, other) => (other.changedAt > one.changedAt ? other : one))
    const [oldest] = this.#closedBy.keys()
    if (oldest !== undefined && this.#closedBy.size === maxClosings) this.#closedBy.delete(oldest)
    this.#closedBy.set(`${newest.id} ${newest.changedAt}`, closed)
    return closed
  }

  /** Ends those whose token is revoked; how many. */
  #close(): number {
    const revoked = [...this.#connected].filter(({ grant }) => grant !== null && this.list.isRevoked(grant))
    for (const subscriber of revoked) subscriber.end('revoked')
    return revoked.length
  }
}
