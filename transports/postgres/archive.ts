import type { Archive, ArchivedUpdate } from '../../src/archive.ts'
import { HubError, quote } from '../../src/errors.ts'
import { connect } from './connect.ts'
import { encodeUpdate } from './entry.ts'
import { findLast, readUpdates } from './history.ts'
import type { Location } from './location.ts'
import { checkReadable, prepareTables } from './prepare.ts'
import type { Session } from './session.ts'

const pageBounds = { entries: 1000, bytes: 512 * 1024 }
const answerMs = 30_000
/** Counting takes its time: a second for some ten million updates. */
const countMs = 300_000

/** A log in PostgreSQL without a hub; hubs may be writing it. */
export class PostgresArchive implements Archive {
  readonly size: number
  readonly #session: Session

  /** @throws Failure; HubError `configuration_invalid` */
  static async open(location: Location, { writable }: { writable: boolean }): Promise<PostgresArchive> {
    const session = await connect(location, new AbortController().signal, { standby: !writable })
    try {
      if (writable) await prepareTables(session)
      else if (!(await checkReadable(session))) throw missing(session)
      return new PostgresArchive(session, await count(session))
    } catch (error) {
      session.kill()
      throw error
    }
  }

  private constructor(session: Session, size: number) {
    this.#session = session
    this.size = size
  }

  async *read(): AsyncGenerator<readonly ArchivedUpdate[]> {
    const upTo = (await findLast(this.#session)) ?? 0
    for (let after = 0; after < upTo; ) {
      const page = await readUpdates(this.#session, { after, upTo }, pageBounds)
      yield page
      after = page.at(-1)?.number ?? upTo
    }
  }

  async append(updates: readonly ArchivedUpdate[]): Promise<number> {
    const records = updates.map(({ update, timeMs }) => encodeUpdate(update, { timeMs }))
    const statement = { name: 'append', text: `SELECT ${this.#session.tables.append}($1, '{}')` }
    if (records.length > 0) await this.#session.query(statement, [`[${records.join()}]`], answerMs)
    return 0
  }

  close(): Promise<void> {
    return this.#session.end()
  }
}

async function count(session: Session): Promise<number> {
  const [row] = await session.query({ text: `SELECT count(*) FROM ${session.tables.updates}` }, [], countMs)
  return Number(row?.[0])
}

const missing = ({ tables }: Session): HubError =>
  new HubError(
    'configuration_invalid',
    `There is no log in the schema ${quote(tables.schema)} of this PostgreSQL: it has no table ${tables.log}.`,
  )
