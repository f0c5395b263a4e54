import type { Session } from './session.ts'

const answerMs = 5000

/** The end of a log. */
export interface End {
  readonly channel: string
  /** The number of the oldest update that is there; that of the next one where there is none. */
  readonly first: number
  /** The number of the newest update that is there; 0: there is none. */
  readonly last: number
  /** The last number given, perhaps to updates that are being stored. */
  readonly given: number
  /** The id of the update with the number asked for, if it is there. */
  readonly idAt: string | undefined
  readonly hasInbox: boolean
}

/** @throws Failure */
export async function readEnd(session: Session, number: number): Promise<End> {
  const { updates, numbers, inbox, channel } = session.tables
  const statement = {
    name: 'end',
    text: `SELECT ${channel}, (SELECT min(number) FROM ${updates}), (SELECT max(number) FROM ${updates}),
      (SELECT last_value FROM ${numbers}), (SELECT id FROM ${updates} WHERE number = $1), EXISTS (SELECT FROM ${inbox})`,
  }
  const [row] = await session.query(statement, [number], answerMs)
  const [name, first, last, given, idAt, hasInbox] = row!
  return {
    channel: name!,
    last: Number(last),
    given: Math.max(Number(given), Number(last)),
    first: first == null ? Number(given) + 1 : Number(first),
    idAt: idAt ?? undefined,
    hasInbox: hasInbox === 't',
  }
}
