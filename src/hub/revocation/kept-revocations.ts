import type { Records } from '../../transport.ts'
import { type Revocation, readRevocation } from './revocation.ts'
import type { RevocationList } from './revocation-list.ts'

/** Revocations in the log's records, under this and their id: other records may come to be there. */
const prefix = 'revocation:'

/** What of a list is kept with the log, so that it is known after all nodes were stopped. */
export class KeptRevocations {
  readonly #records: Records
  readonly #list: RevocationList
  /** The ids of those that were saved or loaded here. */
  readonly #kept = new Set<string>()

  constructor(records: Records, list: RevocationList) {
    this.#records = records
    this.#list = list
  }

  /** Takes what is kept into the list. @throws HubError `transport_unavailable` */
  async load(): Promise<void> {
    const revocations: Revocation[] = []
    for (const [key, record] of await this.#records.load()) {
      if (!key.startsWith(prefix)) continue
      this.#kept.add(key.slice(prefix.length))
      const revocation = readRevocation(record)
      if (revocation !== undefined) revocations.push(revocation)
    }
    this.#list.merge(revocations)
    await this.#forgetOld()
  }

  /** Resolves when it is kept. @throws HubError `transport_unavailable` */
  async save(revocation: Revocation): Promise<void> {
    this.#kept.add(revocation.id)
    await this.#records.save(prefix + revocation.id, JSON.stringify(revocation))
    await this.#forgetOld()
  }

  async #forgetOld(): Promise<void> {
    this.#list.prune()
    const known = new Set(this.#list.all.map(({ id }) => id))
    for (const id of [...this.#kept].filter(id => !known.has(id))) {
      await this.#records.save(prefix + id, null)
      this.#kept.delete(id)
    }
  }
}
