import type { Records } from '../transport.ts'

/** More than a hub has of them: it bounds them itself. */
const maxRecords = 50_000

/** The records of workers whose log keeps none: they outlive every worker, and end with this process. */
export class RecordMemory implements Records {
  readonly #records = new Map<string, string>()

  async load(): Promise<ReadonlyMap<string, string>> {
    return this.#records
  }

  async save(key: string, record: string | null): Promise<void> {
    this.#records.delete(key)
    if (record === null) return
    this.#records.set(key, record)
    if (this.#records.size > maxRecords) this.#records.delete(this.#records.keys().next().value!)
  }
}
