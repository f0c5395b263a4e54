import { HubError, quote } from '../../src/errors.ts'
import { Failure } from '../backend/failure.ts'
import { define, defineSchema, migrations, version } from './definition.ts'
import type { Session } from './session.ts'
import { identifier, literal, type Tables } from './tables.ts'

const answerMs = 30_000

/** Nodes that start at the same time make the tables one after the other: the lock is any number that is always the same. */
const lock = '1836413792, 0'

/**
 * Makes the log's tables where there are none, brings older ones up to date, and finds out whether the role may do all that a hub does.
 * @throws Failure, HubError `configuration_invalid`
 */
export async function prepareTables(session: Session): Promise<void> {
  if ((await readVersion(session)) !== version) await makeCurrent(session)
  await checkRights(session)
}

async function makeCurrent(session: Session): Promise<void> {
  const { tables } = session
  await makeSchema(session)
  const run = (text: string) => session.query({ text }, [], answerMs)
  // Before the transaction begins, so that it knows what another node has made.
  await run(`SELECT pg_advisory_lock(${lock})`)
  try {
    await run('BEGIN')
    let found = await readVersion(session)
    if (found === undefined) await run(define(tables))
    for (; found !== undefined && found < version; found++) {
      const migrate = migrations[found]
      if (migrate === undefined)
        throw invalid(`its tables are of version ${found}, which this hub cannot bring up to date`)
      await run(migrate(tables))
      await run(`UPDATE ${tables.log} SET version = ${found + 1}`)
    }
    await run('COMMIT')
  } catch (error) {
    await run('ROLLBACK').catch(() => {})
    throw explain(error, tables)
  } finally {
    await run(`SELECT pg_advisory_unlock(${lock})`).catch(() => {})
  }
}

/** The version of the tables; `undefined`: there are none. @throws HubError for one that is newer than this hub */
export async function readVersion(session: Session): Promise<number | undefined> {
  const { tables } = session
  const [row] = await session.query({ text: `SELECT to_regclass(${literal(tables.log)})` }, [], answerMs)
  if (row?.[0] == null) return undefined
  try {
    const [log] = await session.query({ text: `SELECT version FROM ${tables.log}` }, [], answerMs)
    const found = Number(log?.[0] ?? Number.NaN)
    if (found <= version) return found
    throw invalid(
      Number.isNaN(found)
        ? `${tables.log} is no table of a log; name another prefix or schema`
        : `the tables are of version ${found}, and this hub knows version ${version}: run the newer one`,
    )
  } catch (error) {
    if (error instanceof Failure && (error.code === '42703' || error.code === '42809')) {
      throw invalid(`${tables.log} is no table of a log; name another prefix or schema`)
    }
    throw explain(error, tables)
  }
}

async function makeSchema(session: Session): Promise<void> {
  const { tables } = session
  const [row] = await session.query({ text: 'SELECT to_regnamespace($1)' }, [identifier(tables.schema)], answerMs)
  if (row?.[0] != null) return
  try {
    await session.query({ text: defineSchema(tables) }, [], answerMs)
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== '42501') throw error
    throw invalid(
      `there is no schema ${quote(tables.schema)}, and the role may not make one; execute: CREATE SCHEMA ${identifier(tables.schema)} AUTHORIZATION ${await readRole(session)}`,
    )
  }
}

/** What a hub does, and the right that it takes. */
async function checkRights(session: Session): Promise<void> {
  const { schema, log, updates, inbox, numbers, append, take, trim } = session.tables
  const functions = [`${append}(json, text[])`, `${take}(integer)`, `${trim}(bigint, double precision, integer)`]
  const rights: readonly (readonly [check: string, grant: string])[] = [
    [`has_schema_privilege(${literal(schema)}, 'USAGE')`, `USAGE ON SCHEMA ${identifier(schema)}`],
    ...[
      ['SELECT', log],
      ['SELECT', updates],
      ['INSERT', updates],
      ['DELETE', updates],
      ['SELECT', inbox],
      ['DELETE', inbox],
    ].map(
      ([right, table = '']) => [`has_table_privilege(${literal(table)}, '${right}')`, `${right} ON ${table}`] as const,
    ),
    ...['SELECT', 'UPDATE'].map(
      right => [`has_sequence_privilege(${literal(numbers)}, '${right}')`, `${right} ON SEQUENCE ${numbers}`] as const,
    ),
    ...functions.map(
      name => [`has_function_privilege(${literal(name)}, 'EXECUTE')`, `EXECUTE ON FUNCTION ${name}`] as const,
    ),
  ]
  const [answers = []] = await session.query(
    { text: `SELECT ${rights.map(([check]) => check).join(', ')}` },
    [],
    answerMs,
  )
  const missing = rights.filter((_, i) => answers[i] !== 't')
  if (missing.length === 0) return
  const role = await readRole(session)
  throw invalid(
    `the role ${role} lacks rights; use the role that made the tables, or execute as that one: ${missing.map(([, grant]) => `GRANT ${grant} TO ${role}`).join('; ')}`,
  )
}

async function readRole(session: Session): Promise<string> {
  const [row] = await session.query({ text: 'SELECT quote_ident(current_user)' }, [], answerMs)
  return row?.[0] ?? ''
}

function explain(error: unknown, { schema, log }: Tables): unknown {
  if (!(error instanceof Failure)) return error
  if (error.code === '42501') {
    return invalid(
      `${error.message.split(':', 1)[0]}: the role may not use the schema ${quote(schema)}; execute: GRANT USAGE, CREATE ON SCHEMA ${identifier(schema)} TO the role, or name another one with the option schema`,
    )
  }
  if (['42P07', '42723', '42710'].includes(error.code ?? '')) {
    return invalid(
      `${error.message}, and there is no ${log}: it is not a hub's; name another prefix, or another schema`,
    )
  }
  return error
}

const invalid = (rule: string): HubError => new HubError('configuration_invalid', `transport_url, postgres: ${rule}.`)
