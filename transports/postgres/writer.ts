import type { Update } from '../../src/protocol/update.ts'
import type { KeyedUpdate, PublishKey } from '../../src/transport.ts'
import type { Connection } from '../backend/connection.ts'
import type { Outage } from '../backend/outage.ts'
import { type Group, PublishQueue } from '../backend/publish-queue.ts'
import { encodeUpdate, type NumberedUpdate } from './entry.ts'
import type { Session } from './session.ts'
import { literal } from './tables.ts'

export interface WriterOptions {
  readonly connection: Connection<Session>
  readonly outage: Outage
  /** How long a publisher waits at most, in milliseconds; 0: for ever. */
  readonly publishTimeoutMs: number
  /** Called before the publishers are told. */
  readonly stored: (stored: Stored) => void
}

/** What a statement has stored: no update, where it has but sent messages. */
export interface Stored {
  readonly updates: readonly NumberedUpdate[]
  /** The id of the update before them, as its column has it; absent where another hub has stored it just now, or it has been deleted. */
  readonly idBefore: string | undefined
  /** When the statement was sent. */
  readonly sinceMs: number
}

interface Item {
  readonly update: Update
  /** The update as the statement takes it. */
  readonly record: string
  readonly isKeyed: boolean
}

/** What one statement takes, in UTF-16 code units. */
const groupBounds = { updates: 512, size: 4 << 20 }

export function createWriter(options: WriterOptions): PublishQueue<Session, Item> {
  const { connection, outage, publishTimeoutMs } = options
  return new PublishQueue({
    ...{ connection, outage, publishTimeoutMs, groupBounds, encode },
    store: (session, group) => store(session, group, options),
  })
}

function encode(update: Update, key?: PublishKey): { item: Item; size: number } {
  const record = encodeUpdate(update, { key })
  return { item: { update, record, isKeyed: key !== undefined }, size: record.length }
}

async function store(
  session: Session,
  { messages, items, repeat }: Group<Item>,
  { publishTimeoutMs, stored }: WriterOptions,
): Promise<void> {
  const updates = items.length === 0 ? null : `[${items.map(({ record }) => record).join()}]`
  const texts = messages.map(bytes => Buffer.from(bytes).toString('base64'))
  const { append, appendOnce, updates: table } = session.tables
  const idBefore = `(SELECT id FROM ${table} WHERE number = split_part(answer, ' ', 1)::bigint)`
  const statement = items.some(({ isKeyed }) => isKeyed)
    ? {
        name: 'append once',
        text: `SELECT answer, ${idBefore}, known FROM (SELECT * FROM ${appendOnce}($1, $2) OFFSET 0) AS appended`,
      }
    : {
        name: 'append',
        text: `SELECT answer, ${idBefore} FROM (SELECT ${append}($1, $2) AS answer OFFSET 0) AS appended`,
      }
  const sinceMs = performance.now()
  const [row] = await session.query(statement, [updates, texts], publishTimeoutMs)
  const [answer, id, known] = row!
  const repeated = decodeKnown(known)
  const kept = repeated.size === 0 ? items : items.filter((_, i) => !repeated.has(i))
  stored({ updates: kept.length === 0 ? [] : number(kept, answer!), idBefore: id ?? undefined, sinceMs })
  for (const [index, first] of repeated) repeat(index, first)
}

/** The updates that have the keys of some of a group, by their index in that. */
const decodeKnown = (known: string | null | undefined): ReadonlyMap<number, KeyedUpdate> =>
  new Map(
    ((known == null ? [] : JSON.parse(known)) as [number, string, string][]).map(([index, fingerprint, id]) => [
      index,
      { fingerprint, id },
    ]),
  )

/** Stores an update and takes it back in the same breath, which fails where a publish would. @throws Failure */
export async function probe(session: Session, timeoutMs: number): Promise<void> {
  const { append, updates, numbers } = session.tables
  // Random, so that it needs its place in the table: what is all alike is compressed to next to nothing.
  const text = `DO $probe$ BEGIN
    PERFORM ${append}(NULL, '{}');
    PERFORM last_value FROM ${numbers};
    PERFORM max(number) FROM ${updates};
    IF NOT has_sequence_privilege(${literal(numbers)}, 'UPDATE') THEN
      RAISE insufficient_privilege USING MESSAGE = 'permission denied for sequence ' || ${literal(numbers)};
    END IF;
    INSERT INTO ${updates} (number, id, topics, data, type, retry, private, reused, created_at)
      SELECT -1 - floor(random() * 1e15), '', '{}', string_agg(md5(random()::text), ''), '', 0, false, false, now()
      FROM generate_series(1, 60);
    RAISE SQLSTATE 'PROBE';
  EXCEPTION WHEN SQLSTATE 'PROBE' THEN NULL;
  END $probe$`
  await session.query({ text }, [], timeoutMs)
}

/** What was stored, by what the statement gives. */
function number(items: readonly Item[], answer: string): NumberedUpdate[] {
  const [before, flags = ''] = answer.split(' ')
  const timeMs = Date.now()
  return items.map(({ update }, i) => ({
    number: Number(before) + i + 1,
    update,
    reused: flags[i] === '1',
    timeMs,
  }))
}
