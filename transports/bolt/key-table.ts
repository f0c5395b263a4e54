import type { Database, RootDatabase } from 'lmdb'
import type { KeyedUpdate, PublishKey } from '../../src/transport.ts'
import { sequenceKeys } from './sequence.ts'

/** An id, a fingerprint, and until when that is remembered, in milliseconds since 1970. */
type Row = readonly [id: string, fingerprint: string, untilMs: number]

/** What one commit removes of ended keys at most, beyond twice as many as it adds. */
const removedPerCommit = 16

interface Tables {
  readonly rows: Database<Row, string>
  /** The keys that end at a time. */
  readonly ends: Database<string, number>
}

/**
 * The keys with which updates were published, in two tables: by key, and by the time of their end. Those that have ended are removed by the
 * commits that follow. A log in which nobody publishes with keys has neither.
 */
export class KeyTable {
  readonly #root: RootDatabase<Buffer, string>
  readonly #bucket: string
  #tables: Tables | undefined

  constructor(root: RootDatabase<Buffer, string>, bucket: string) {
    this.#root = root
    this.#bucket = bucket
    this.#tables = this.#open(false)
  }

  /** Makes the tables if they are not there: a transaction of its own. */
  prepare(): void {
    this.#tables ??= this.#open(true)
  }

  #open(create: boolean): Tables | undefined {
    const table = <V, K extends string | number>(name: string, options: object) => {
      const withCreate: object = { ...options, create }
      return this.#root.openDB(`${this.#bucket}:${name}`, withCreate) as Database<V, K> | undefined
    }
    const ends = table<string, number>('key-ends', {
      dupSort: true,
      encoding: 'ordered-binary',
      keyEncoder: sequenceKeys,
    })
    const rows = ends && table<Row, string>('keys', { encoding: 'json' })
    return rows && { rows, ends }
  }

  find(text: string): KeyedUpdate | undefined {
    const [id, fingerprint, untilMs] = this.#tables?.rows.get(text) ?? none
    return untilMs > Date.now() ? { id, fingerprint } : undefined
  }

  /** Part of a transaction: removes keys that have ended, and adds these. */
  renew(added: readonly (PublishKey & { readonly id: string })[]): void {
    if (this.#tables === undefined) return
    const nowMs = Date.now()
    removeEnded(this.#tables, 2 * added.length + removedPerCommit, nowMs)
    const { rows, ends } = this.#tables
    for (const { text, fingerprint, rememberMs, id } of added) {
      const untilMs = nowMs + rememberMs
      rows.put(text, [id, fingerprint, untilMs])
      ends.put(untilMs, text)
    }
  }
}

function removeEnded({ rows, ends }: Tables, limit: number, nowMs: number): void {
  for (const { key: untilMs, value: text } of [...ends.getRange({ start: 0, end: nowMs + 1, limit })]) {
    ends.remove(untilMs, text)
    // It may have been used again since then.
    if (rows.get(text)?.[2] === untilMs) rows.remove(text)
  }
}

const none: Row = ['', '', 0]
