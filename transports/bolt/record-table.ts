import type { Database, RootDatabase } from 'lmdb'

/** The records that a hub keeps with its log, in a table of their own. A log with which none was ever kept has no such table. */
export class RecordTable {
  readonly #root: RootDatabase<Buffer, string>
  readonly #name: string
  #table: Database<string, string> | undefined

  constructor(root: RootDatabase<Buffer, string>, bucket: string) {
    this.#root = root
    this.#name = `${bucket}:records`
    this.#table = this.#open(false)
  }

  #open(create: boolean): Database<string, string> | undefined {
    const options: object = { encoding: 'string', create }
    return this.#root.openDB(this.#name, options) as Database<string, string> | undefined
  }

  read(): ReadonlyMap<string, string> {
    const rows = this.#table === undefined ? [] : [...this.#table.getRange()]
    return new Map(rows.map(({ key, value }) => [key, value]))
  }

  /** Resolves when it is on disk; `null` removes the record. */
  async save(key: string, record: string | null): Promise<void> {
    if (record !== null) this.#table ??= this.#open(true)
    await (record === null ? this.#table?.remove(key) : this.#table?.put(key, record))
  }
}
