import type { Update } from '../../src/protocol/update.ts'
import type { Connection } from '../backend/connection.ts'
import type { Outage } from '../backend/outage.ts'
import { type Group, PublishQueue } from '../backend/publish-queue.ts'
import { encodeUpdate, type NumberedUpdate } from './entry.ts'
import type { Session } from './session.ts'

export interface WriterOptions {
  readonly connection: Connection<Session>
  readonly outage: Outage
  /** How long a publisher waits at most, in milliseconds; 0: for ever. */
  readonly publishTimeoutMs: number
  /** Called with what a statement has stored (nothing, where it has but sent messages) and when it began, before the publishers are told. */
  readonly stored: (updates: readonly NumberedUpdate[], sinceMs: number) => void
}

interface Item {
  readonly update: Update
  /** The update as the statement takes it. */
  readonly record: string
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

function encode(update: Update): { item: Item; size: number } {
  const record = encodeUpdate(update)
  return { item: { update, record }, size: record.length }
}

async function store(
  session: Session,
  { messages, items }: Group<Item>,
  { publishTimeoutMs, stored }: WriterOptions,
): Promise<void> {
  const updates = items.length === 0 ? null : `[${items.map(({ record }) => record).join()}]`
  const texts = messages.map(bytes => Buffer.from(bytes).toString('base64'))
  const statement = { name: 'append', text: `SELECT ${session.tables.append}($1, $2)` }
  const sinceMs = performance.now()
  const [row] = await session.query(statement, [updates, texts], publishTimeoutMs)
  stored(items.length === 0 ? [] : number(items, row![0]!), sinceMs)
}

/** Stores an update and takes it back in the same breath, which fails where a publish would. @throws Failure */
export async function probe(session: Session, timeoutMs: number): Promise<void> {
  const { append, updates } = session.tables
  // Random, so that it needs its place in the table: what is all alike is compressed to next to nothing.
  const text = `DO $probe$ BEGIN
    PERFORM ${append}(NULL, '{}');
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
