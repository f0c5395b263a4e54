import { hash } from 'node:crypto'
import { HubError, quote } from '../../errors.ts'
import type { Grant } from '../../protocol/grant.ts'
import { idOf, keyOf, keysOf, type Revocation, type Revoked, refuses } from './revocation.ts'

/** Of all nodes, in force. */
const maxRevocations = 10_000
/** Of those that were taken back, so many are remembered: the newest. */
const maxTakenBack = 10_000
/** How long it is remembered that one was taken back: a node that has not heard of that brings it back no more. Milliseconds. */
const takenBackForMs = 3_600_000

/** The revocations that are in force, in memory: the same at each node of a hub. */
export class RevocationList {
  readonly #byKey = new Map<string, Revocation>()
  readonly #now: () => number
  #digest = 0
  #takenBack = 0

  /** @param now milliseconds since 1970 */
  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  /** @throws HubError `token_revoked` */
  check(grant: Grant | null): void {
    if (grant === null || !this.isRevoked(grant)) return
    throw new HubError('token_revoked', 'The token was revoked.', {
      generation: grant.generation,
      mend: 'Sign in again, for a token that is issued after that.',
      cause: new Error(`Its sub is ${quote(grant.subject)}, its jti ${quote(grant.tokenId)}.`),
    })
  }

  isRevoked(grant: Grant): boolean {
    if (this.#byKey.size === 0) return false
    for (const key of keysOf(grant)) {
      const revocation = this.#byKey.get(key)
      if (revocation !== undefined && refuses(revocation, grant, this.#now())) return true
    }
    return false
  }

  /**
   * Revokes from now on, `until` then (`null`: until it is taken back), and not for a shorter time than before.
   * @throws HubError `revocations_too_many`
   */
  add(revoked: Revoked, until: number | null): Revocation {
    const key = keyOf(revoked)
    const now = this.#now()
    const before = this.#byKey.get(key)
    if (before === undefined || before.isTakenBack) this.requireRoom()
    const isLonger = before === undefined || before.isTakenBack || isLater(until, before.until)
    const changedAt = before === undefined ? now : Math.max(now, before.changedAt + 1)
    const last = isLonger ? until : before.until
    return this.#put(key, { ...revoked, id: idOf(key), revokedAt: now, until: last, changedAt, isTakenBack: false })
  }

  /** @throws HubError `revocations_too_many` */
  requireRoom(): void {
    const isFull = () => this.#byKey.size - this.#takenBack >= maxRevocations
    if (isFull()) this.prune()
    if (isFull()) throw tooMany()
  }

  /** `undefined`: there is none with this id. */
  takeBack(id: string): Revocation | undefined {
    const before = this.inForce.find(revocation => revocation.id === id)
    if (before === undefined) return undefined
    const changedAt = Math.max(this.#now(), before.changedAt + 1)
    const taken = this.#put(keyOf(before), { ...before, changedAt, isTakenBack: true })
    this.#forgetOldest()
    return taken
  }

  /** Takes what another node knows, which has counted them. True: some of it was new. */
  merge(revocations: Iterable<Revocation>): boolean {
    let isChanged = false
    for (const revocation of revocations) {
      const key = keyOf(revocation)
      const before = this.#byKey.get(key)
      if (!isNewer(revocation, before) || this.#isOver(revocation)) continue
      this.#put(key, revocation)
      isChanged = true
    }
    this.#forgetOldest()
    return isChanged
  }

  /** Forgets those that are over. */
  prune(): void {
    for (const [key, revocation] of this.#byKey) {
      if (this.#isOver(revocation)) this.#forget(key, revocation)
    }
  }

  /** What nodes tell each other, those that were taken back included. */
  get all(): Revocation[] {
    return [...this.#byKey.values()]
  }

  get inForce(): Revocation[] {
    return this.all.filter(revocation => !revocation.isTakenBack && !this.#isOver(revocation))
  }

  /** The same at nodes that know the same. */
  get digest(): number {
    return this.#digest
  }

  #put(key: string, revocation: Revocation): Revocation {
    const before = this.#byKey.get(key)
    if (before !== undefined) this.#forget(key, before)
    this.#digest ^= markOf(revocation)
    if (revocation.isTakenBack) this.#takenBack++
    this.#byKey.set(key, revocation)
    return revocation
  }

  #forget(key: string, revocation: Revocation): void {
    this.#digest ^= markOf(revocation)
    if (revocation.isTakenBack) this.#takenBack--
    this.#byKey.delete(key)
  }

  /** Nodes that have heard of the same ones forget the same. */
  #forgetOldest(): void {
    const excess = this.#takenBack - maxTakenBack
    if (excess <= 0) return
    const takenBack = [...this.#byKey].filter(([, { isTakenBack }]) => isTakenBack)
    takenBack.sort(([, a], [, b]) => a.changedAt - b.changedAt || (a.id < b.id ? -1 : 1))
    for (const [key, revocation] of takenBack.slice(0, excess)) this.#forget(key, revocation)
  }

  #isOver({ until, changedAt, isTakenBack }: Revocation): boolean {
    const now = this.#now()
    return (until !== null && until <= now) || (isTakenBack && changedAt + takenBackForMs <= now)
  }
}

const isLater = (until: number | null, before: number | null): boolean =>
  before !== null && (until === null || until > before)

/** Changes of the same moment at two nodes: both take the same one. */
function isNewer(revocation: Revocation, before: Revocation | undefined): boolean {
  if (before === undefined || revocation.changedAt !== before.changedAt) {
    return before === undefined || revocation.changedAt > before.changedAt
  }
  return markOf(revocation) > markOf(before)
}

const markOf = (revocation: Revocation): number => {
  const { id, revokedAt, until, changedAt, isTakenBack } = revocation
  return hash('sha256', JSON.stringify([id, revokedAt, until, changedAt, isTakenBack]), 'buffer').readInt32BE(0)
}

const tooMany = (): HubError =>
  new HubError('revocations_too_many', `This hub has ${maxRevocations} revocations, and takes no more.`, {
    mend: 'Give each an "until" no later than the tokens that it is about live, and take back those that are not needed: GET /revocations lists them.',
  })
