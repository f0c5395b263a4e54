import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Backlog, type Waiter } from '../../src/http/backlog.ts'

/** A reader of a backlog: bytes wait for it until it is ended. */
class Reader implements Waiter {
  readonly name: string
  readonly #backlog: Backlog
  readonly #ended: string[]
  #waiting: Uint8Array[] = []

  constructor(name: string, backlog: Backlog, ended: string[]) {
    this.name = name
    this.#backlog = backlog
    this.#ended = ended
    backlog.add(this)
  }

  get waitingBytes(): number {
    return this.#waiting.reduce((sum, { byteLength }) => sum + byteLength, 0)
  }

  give(...several: Uint8Array[]): this {
    for (const bytes of several) {
      this.#waiting.push(bytes)
      this.#backlog.hold(bytes)
    }
    return this
  }

  take(): void {
    this.#backlog.release(this.#waiting.shift()!)
  }

  end(reason: 'too slow'): void {
    this.#ended.push(`${this.name}: ${reason}`)
    while (this.#waiting.length > 0) this.take()
    this.#backlog.remove(this)
  }
}

const createBacklog = (maxBytes: number) => {
  const backlog = new Backlog(maxBytes)
  const ended: string[] = []
  return { backlog, ended, reader: (name: string) => new Reader(name, backlog, ended) }
}

const bytes = (length: number) => new Uint8Array(length)

test('what waits for several is counted once, until none of them waits for it', () => {
  const { backlog, ended, reader } = createBacklog(100)
  const shared = bytes(90)
  const readers = Array.from({ length: 1000 }, (_, i) => reader(`${i}`).give(shared))
  assert.equal(backlog.bytes, 90)
  for (const each of readers.slice(1)) each.take()
  assert.equal(backlog.bytes, 90)
  readers[0]!.take()
  assert.equal(backlog.bytes, 0)
  assert.deepEqual(ended, [])
})

test('beyond the bound those with the most end first, of equal ones those that have waited longest, until a quarter is free', () => {
  const { backlog, ended, reader } = createBacklog(100)
  reader('little').give(bytes(10))
  reader('early').give(bytes(20))
  reader('most').give(bytes(15), bytes(15))
  reader('late').give(bytes(20))
  const last = reader('last').give(bytes(20))
  assert.equal(backlog.bytes, 100)
  assert.deepEqual(ended, [])
  last.give(bytes(1))
  assert.deepEqual(ended, ['most: too slow'])
  assert.equal(backlog.bytes, 71)
  last.take()
  assert.equal(backlog.bytes, 51)
})

test('of those who have the same, the longest waiting ends first', () => {
  const { ended, reader } = createBacklog(100)
  for (const name of ['first', 'second', 'third', 'fourth']) reader(name).give(bytes(25))
  reader('fifth').give(bytes(25))
  assert.deepEqual(ended, ['first: too slow', 'second: too slow'])
})

test('ending those that share frees nothing before the last of them has ended', () => {
  const { backlog, ended, reader } = createBacklog(100)
  const shared = bytes(80)
  for (const name of ['a', 'b', 'c']) reader(name).give(shared)
  reader('small').give(bytes(10), bytes(11))
  assert.deepEqual(ended, ['a: too slow', 'b: too slow', 'c: too slow'])
  assert.equal(backlog.bytes, 21)
})

test('without a bound nobody ends', () => {
  const { backlog, ended, reader } = createBacklog(0)
  for (let i = 0; i < 100; i++) reader(`${i}`).give(bytes(1 << 20))
  assert.equal(backlog.bytes, 100 << 20)
  assert.deepEqual(ended, [])
})
