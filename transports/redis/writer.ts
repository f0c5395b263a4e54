import { HubError } from '../../src/errors.ts'
import type { Update } from '../../src/protocol/update.ts'
import type { KeyedUpdate, PublishKey } from '../../src/transport.ts'
import type { Connection } from '../backend/connection.ts'
import { Failure } from '../backend/failure.ts'
import { inTime } from '../backend/in-time.ts'
import type { Outage } from '../backend/outage.ts'
import { type Group, PublishQueue } from '../backend/publish-queue.ts'
import { answered, type Client } from './client.ts'
import { encodeFields } from './entry.ts'
import { interpret } from './failure.ts'
import { type Keys, publishKeyOf } from './keys.ts'
import { append, rehearse, run } from './scripts.ts'
import type { Session } from './session.ts'

export interface WriterOptions {
  readonly connection: Connection<Session>
  readonly keys: Keys
  /** Updates that the log keeps, at least; 0: all. */
  readonly maxLength: number
  /** Replicas that must have an update before its publisher is answered. */
  readonly replicas: number
  /** How long a publisher waits at most; 0: for ever. */
  readonly publishTimeoutMs: number
  readonly outage: Outage
}

interface Item {
  /** What the script is given of an update. */
  readonly args: readonly string[]
  readonly key: string | undefined
}

/** What one script call takes: Redis does nothing else meanwhile. In bytes of data, and of what a text costs beside: 32,768 at most. */
const groupBounds = { updates: 256, size: 2 << 20 }
const textSize = 64
/** Messages live so long in Redis, for nodes that are behind by a moment. */
const messageAgeMs = 15_000
/** How long replicas are waited for where publishers wait for ever. */
const longestWaitMs = 10_000

export function createWriter(options: WriterOptions): PublishQueue<Session, Item> {
  const { connection, outage, publishTimeoutMs } = options
  return new PublishQueue({
    ...{ connection, outage, publishTimeoutMs, groupBounds, encode },
    store: ({ client }, group) => store(client, group, options),
  })
}

function encode(update: Update, key?: PublishKey): { item: Item; size: number } {
  const fields = encodeFields(update)
  const bytes = Buffer.byteLength(update.data)
  const memory = [String(key?.rememberMs ?? 0), key?.fingerprint ?? '']
  const args = [String(bytes), String(fields.length), ...fields, ...memory]
  return { item: { args, key: key?.text }, size: bytes + textSize * fields.length }
}

async function store(client: Client, group: Group<Item>, options: WriterOptions): Promise<void> {
  const { messages, items } = group
  const { keys, maxLength, replicas, publishTimeoutMs } = options
  const counts = [String(maxLength), String(messageAgeMs), String(items.length), String(messages.length)]
  const args = [...counts, ...messages.map(bytes => Buffer.from(bytes)), ...items.flatMap(({ args }) => args)]
  const publishKeys = items.flatMap(({ key }) => (key === undefined ? [] : publishKeyOf(keys, key)))
  const stored = run(client, append, keys, args, publishKeys)
  const repeated = (await answered(client, stored, publishTimeoutMs)) as (string | number)[]
  // What was stored before need not be at the replicas either.
  if (replicas > 0 && items.length > 0) await replicate(client, replicas, publishTimeoutMs)
  for (let i = 0; i < repeated.length; i += 2) group.repeat(Number(repeated[i]), decodeKeyed(String(repeated[i + 1])))
}

function decodeKeyed(text: string): KeyedUpdate {
  const space = text.indexOf(' ')
  return { fingerprint: text.slice(0, space), id: text.slice(space + 1) }
}

async function replicate(client: Client, replicas: number, publishTimeoutMs: number): Promise<void> {
  // Time is left to tell its publishers what is known.
  const timeoutMs = (publishTimeoutMs === 0 ? longestWaitMs : publishTimeoutMs) / 2
  const missing = replicas - (await answered(client, client.wait(replicas, Math.ceil(timeoutMs)), timeoutMs * 2))
  if (missing > 0) throw notReplicated(missing)
}

/** Fails where the storing of an update would. @throws Failure */
export async function probe(client: Client, keys: Keys, timeoutMs: number): Promise<void> {
  const late = () => new Failure('broken', `it has not answered for ${timeoutMs / 1000} s`)
  try {
    await inTime(run(client, rehearse, keys, []), timeoutMs, late)
  } catch (error) {
    throw interpret(error)
  }
}

const notReplicated = (missing: number): HubError =>
  new HubError(
    'transport_unavailable',
    'The update is stored, but not as safely as this hub is told to store it. Published again, it comes twice, unless with the same Idempotency-Key.',
    { cause: new Error(`${missing} more replicas should have it`) },
  )
