import type { Writable } from 'node:stream'
import type { Backlog, Waiter } from './backlog.ts'

/**
 * Bytes handed to a connection at once. Node gives all that it holds for a busy connection to the system in one call, and tells of
 * none of it before all has left: in pieces, a reader that is slow can be told from one that does not read.
 */
const pieceBytes = 32 * 1024

/**
 * Where a stream's bytes leave. As long as the connection takes them they go straight to it; when some wait, what follows waits
 * here, shared with the other streams that have it, and is handed on piece by piece.
 */
export class Outlet {
  readonly #out: Writable
  readonly #backlog: Backlog
  readonly #owner: Waiter
  /** What waits, in order, with what is under way; `undefined`: nothing but what the connection holds. */
  #queue: Uint8Array[] | undefined
  /** How many of the queue have been handed on whole, and how much of the next one. */
  #handedWhole = 0
  #handedOfNext = 0
  #queuedBytes = 0
  #handedBytes = 0
  /** Nothing waited in the connection after the last write. */
  #clear = false
  #whenEmpty: (() => void)[] = none

  /** `owner` is the one to end when too much waits in all. */
  constructor(out: Writable, backlog: Backlog, owner: Waiter) {
    this.#out = out
    this.#backlog = backlog
    this.#owner = owner
  }

  /** Bytes that have not left for the system yet. */
  get waitingBytes(): number {
    return this.isClear ? 0 : this.#queuedBytes + this.#out.writableLength
  }

  /** Nothing waits. */
  get isClear(): boolean {
    if (!this.#clear) this.#clear = this.#queue === undefined && this.#out.writableLength === 0
    return this.#clear
  }

  /** Bytes that have left since the beginning. */
  get leftBytes(): number {
    return this.#handedBytes - this.#out.writableLength
  }

  write(bytes: Uint8Array): void {
    if (bytes.byteLength <= pieceBytes && this.isClear) {
      this.#handedBytes += bytes.byteLength
      this.#out.write(bytes)
      this.#clear = this.#out.writableLength === 0
      return
    }
    this.#clear = false
    this.#queuedBytes += bytes.byteLength
    if (this.#queue === undefined) {
      this.#queue = [bytes]
      this.#backlog.add(this.#owner)
      this.#handOn()
    } else this.#queue.push(bytes)
    this.#backlog.hold(bytes)
  }

  /** Calls `then` when the queue is empty, at once if it is; never after `drop`. */
  whenEmpty(then: () => void): void {
    if (this.#queue === undefined) then()
    else this.#whenEmpty = [...this.#whenEmpty, then]
  }

  /** Calls `then` when the queue is empty and the connection holds nothing either; never after `drop`. */
  whenLeft(then: () => void): void {
    this.whenEmpty(() => {
      if (this.isClear) then()
      else this.#out.write(nothing, () => then())
    })
  }

  /** Forgets what waits: the connection is to be closed, or has been. */
  drop(): void {
    this.#whenEmpty = none
    this.#empty()
  }

  /** Hands on the next piece; when it has left, the one after it. */
  #handOn(): void {
    const queue = this.#queue!
    let room = pieceBytes
    this.#out.cork()
    while (room > 0 && this.#handedWhole < queue.length) {
      const next = queue[this.#handedWhole]!
      const from = this.#handedOfNext
      const piece = next.byteLength - from <= room && from === 0 ? next : next.subarray(from, from + room)
      room -= piece.byteLength
      if (from + piece.byteLength === next.byteLength) {
        this.#handedWhole++
        this.#handedOfNext = 0
      } else this.#handedOfNext += piece.byteLength
      const isLast = room === 0 || this.#handedWhole === queue.length
      if (isLast) this.#out.write(piece, () => this.#left())
      else this.#out.write(piece)
    }
    this.#handedBytes += pieceBytes - room
    this.#queuedBytes -= pieceBytes - room
    this.#out.uncork()
  }

  #left(): void {
    const queue = this.#queue
    if (queue === undefined || this.#out.destroyed) return
    for (const bytes of queue.splice(0, this.#handedWhole)) this.#backlog.release(bytes)
    this.#handedWhole = 0
    if (queue.length > 0) this.#handOn()
    else {
      this.#empty()
      const waiting = this.#whenEmpty
      this.#whenEmpty = none
      for (const then of waiting) then()
    }
  }

  #empty(): void {
    if (this.#queue === undefined) return
    for (const bytes of this.#queue) this.#backlog.release(bytes)
    this.#queue = undefined
    this.#handedWhole = 0
    this.#handedOfNext = 0
    this.#queuedBytes = 0
    this.#backlog.remove(this.#owner)
  }
}

const none: (() => void)[] = []
const nothing = new Uint8Array()
