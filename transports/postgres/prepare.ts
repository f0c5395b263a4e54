import { HubError, quote } from '../../src/errors.ts'
import type { TransportLog } from '../../src/transport.ts'
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
export async function prepareTables(session: Session, log?: TransportLog): Promise<void> {
  const found = await readVersion(session)
  if (found !== version) await makeCurrent(session)
  if (found !== undefined && found !== version) {
    log?.info({}, `The tables of the log were brought up to date, from version ${found} to ${version}.`)
  }
  const { updates, inbox, keys, numbers } = session.tables
  await requireWhole(session, [updates, inbox, keys, numbers])
  await checkRights(session, rightsOfHub(session.tables))
}

/**
 * Finds out whether there is a log that the role may read.
 * @throws Failure, HubError `configuration_invalid`
 */
export async function checkReadable(session: Session): Promise<boolean> {
  const { tables } = session
  const [row] = await session.query({ text: 'SELECT to_regnamespace($1)' }, [identifier(tables.schema)], answerMs)
  if (row?.[0] == null) return false
  const [usage, ...rights] = rightsOfReader(tables)
  const [answer] = await session.query({ text: `SELECT ${usage![0]}` }, [], answerMs)
  if (answer?.[0] !== 't') throw await lacking(session, [usage!, ...rights])
  if ((await findMissing(session, [tables.log])).length > 0) return false
  // A log that no hub has brought up to date has no keys.
  await requireWhole(session, [tables.updates, tables.inbox, tables.numbers])
  await checkRights(session, rights)
  return (await readVersion(session)) !== undefined
}

/** Those of the tables and sequences that are not there. */
async function findMissing(session: Session, names: readonly string[]): Promise<readonly string[]> {
  const text = `SELECT ${names.map(name => `to_regclass(${literal(name)})`).join(', ')}`
  const [found = []] = await session.query({ text }, [], answerMs)
  return names.filter((_, i) => found[i] == null)
}

/** Somebody may have dropped a part of it. */
async function requireWhole(session: Session, parts: readonly string[]): Promise<void> {
  const { log, updates, inbox, keys, numbers, publish, append, appendOnce, take, trim } = session.tables
  const missing = await findMissing(session, parts)
  if (missing.length === 0) return
  throw invalid(
    `there is no ${missing.join(', ')}, and other parts of the log are there; for an empty one, which a hub then makes, execute: DROP TABLE IF EXISTS ${log}, ${updates}, ${inbox}, ${keys}; DROP SEQUENCE IF EXISTS ${numbers}; DROP FUNCTION IF EXISTS ${publish}, ${append}, ${appendOnce}, ${take}, ${trim}`,
  )
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
    if (error instanceof Failure && error.code === '42501') await checkRights(session, rightsOfHub(tables))
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

/** An expression that is true for who has a right, and the right as it is granted. */
type Right = readonly [check: string, grant: string]

const usageOf = ({ schema }: Tables): Right => [
  `has_schema_privilege(${literal(schema)}, 'USAGE')`,
  `USAGE ON SCHEMA ${identifier(schema)}`,
]

const onTable = (right: string, table: string): Right => [
  `has_table_privilege(${literal(table)}, '${right}')`,
  `${right} ON ${table}`,
]

const rightsOfReader = (tables: Tables): readonly Right[] => [
  usageOf(tables),
  onTable('SELECT', tables.log),
  onTable('SELECT', tables.updates),
]

function rightsOfHub(tables: Tables): readonly Right[] {
  const { updates, inbox, keys, numbers, append, appendOnce, take, trim } = tables
  const functions = [
    ...[append, appendOnce].map(name => `${name}(json, text[])`),
    `${take}(integer)`,
    `${trim}(bigint, double precision, integer)`,
  ]
  return [
    ...rightsOfReader(tables),
    ...[onTable('INSERT', updates), onTable('DELETE', updates), onTable('SELECT', inbox), onTable('DELETE', inbox)],
    ...['SELECT', 'INSERT', 'UPDATE', 'DELETE'].map(right => onTable(right, keys)),
    ...['SELECT', 'UPDATE'].map(
      (right): Right => [`has_sequence_privilege(${literal(numbers)}, '${right}')`, `${right} ON SEQUENCE ${numbers}`],
    ),
    ...functions.map(
      (name): Right => [`has_function_privilege(${literal(name)}, 'EXECUTE')`, `EXECUTE ON FUNCTION ${name}`],
    ),
  ]
}

async function checkRights(session: Session, rights: readonly Right[]): Promise<void> {
  const text = `SELECT ${rights.map(([check]) => check).join(', ')}`
  const [answers = []] = await session.query({ text }, [], answerMs)
  const missing = rights.filter((_, i) => answers[i] !== 't')
  if (missing.length > 0) throw await lacking(session, missing)
}

async function lacking(session: Session, rights: readonly Right[]): Promise<HubError> {
  const role = await readRole(session)
  const grants = rights.map(([, grant]) => `GRANT ${grant} TO ${role}`).join('; ')
  return invalid(`the role ${role} lacks rights; use the role that made the tables, or execute as that one: ${grants}`)
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
