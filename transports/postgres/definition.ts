import { lock, setting } from './functions.ts'
import { defineKeys } from './keys.ts'
import { publishFunction } from './publish-function.ts'
import { identifier, literal, type Tables } from './tables.ts'

/** The version of what `define` makes. A change of it is a new version, with a step in `migrations`. */
export const version = 5

/** What leads from each older version to the next one: `migrations[1]` from 1 to 2. */
export const migrations: Readonly<Record<number, (tables: Tables) => string>> = {
  // Updates of another log come with their times.
  1: tables => appendFunction(tables),
  // What it refuses it says more exactly.
  2: tables => publishFunction(tables),
  // Updates come with keys.
  3: tables => defineKeys(tables),
  // What no header could bring back it refuses.
  4: tables => publishFunction(tables),
}

/**
 * Makes a log. `updates` is in the order of commits: a number is given while a lock is held that is released after the commit, so that who sees
 * a number sees all lower ones. SQL does not wait for that lock: what it publishes goes to `inbox`, and a hub moves it from there when it is
 * committed.
 */
export const define = (tables: Tables): string => `
CREATE TABLE ${tables.log} (
  version integer NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE ${tables.updates} (
  number bigint PRIMARY KEY,
  id text NOT NULL,
  topics text[] NOT NULL,
  data text NOT NULL,
  type text NOT NULL,
  retry bigint NOT NULL,
  private boolean NOT NULL,
  reused boolean NOT NULL,
  created_at timestamptz NOT NULL,
  exact bytea
);
CREATE INDEX ${tables.ids} ON ${tables.updates} (hashtextextended(id, 0), number);
CREATE TABLE ${tables.inbox} (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text NOT NULL,
  topics text[] NOT NULL,
  data text NOT NULL,
  type text NOT NULL,
  retry bigint NOT NULL,
  private boolean NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, vacuum_truncate = false);
CREATE SEQUENCE ${tables.numbers} MINVALUE 0 START 0;

COMMENT ON TABLE ${tables.updates} IS 'Updates of a Mercure hub, in the order in which every subscriber gets them.';
COMMENT ON COLUMN ${tables.updates}.number IS 'The place in the log.';
COMMENT ON COLUMN ${tables.updates}.topics IS 'The canonical topic, then its alternates.';
COMMENT ON COLUMN ${tables.updates}.type IS 'The type of the event; empty: none.';
COMMENT ON COLUMN ${tables.updates}.retry IS 'Reconnection time for clients, in milliseconds; 0: none.';
COMMENT ON COLUMN ${tables.updates}.reused IS 'An older update had the same id.';
COMMENT ON COLUMN ${tables.updates}.created_at IS 'When it got its place.';
COMMENT ON COLUMN ${tables.updates}.exact IS 'For texts with NUL, which the other columns show as U+2400: id, topics, data and type as JSON.';
COMMENT ON TABLE ${tables.inbox} IS 'Updates published in SQL and committed, which a hub is about to move to the log.';

${appendFunction(tables)}
${takeFunction(tables)}
${trimFunction(tables)}
${publishFunction(tables)}
${defineKeys(tables)}
REVOKE ALL ON FUNCTION ${tables.append}(json, text[]), ${tables.take}(integer), ${tables.trim}(bigint, double precision, integer) FROM PUBLIC;
INSERT INTO ${tables.log} (version) VALUES (${version});`

/** Numbers never go back, be the log emptied, or the sequence behind, as after logical replication. */
const readLast = ({ numbers, updates }: Tables): string =>
  `last := greatest((SELECT last_value FROM ${numbers}), (SELECT max(number) FROM ${updates}));`

/**
 * The rest of a statement that stores what \`source\` gives, named s, which has a column \`place\` for the order. Then \`added\` is how many,
 * \`last\` the number of the last one, and \`flags\` has a 1 for each whose id was used before, and a 0 for each other.
 */
const store = ({ updates, numbers, channel }: Tables, source: string, { time, exact }: Parts): string => `
  stored AS (
    INSERT INTO ${updates} (number, id, topics, data, type, retry, private, reused, created_at, exact)
    SELECT last + row_number() OVER (ORDER BY s.place), s.id, s.topics, s.data, s.type, s.retry, s.private,
      row_number() OVER (PARTITION BY s.id ORDER BY s.place) > 1
        OR (SELECT true FROM ${updates} AS older
          WHERE hashtextextended(older.id, 0) = hashtextextended(s.id, 0) AND older.id = s.id LIMIT 1) IS NOT NULL,
      ${time}, ${exact}
    FROM ${source}
    RETURNING number, reused
  )
  SELECT count(*), string_agg(CASE WHEN reused THEN '1' ELSE '0' END, '' ORDER BY number) FROM stored INTO added, flags;
  IF added > 0 THEN
    last := last + added;
    PERFORM setval(${literal(numbers)}, last);
    PERFORM pg_notify(${channel}, 'u' || last);
  END IF;`

/** Expressions for columns. */
interface Parts {
  readonly time: string
  readonly exact: string
}

/**
 * Stores the hub's updates, and sends messages, which are heard before the updates are read. Gives the number before that of the first update,
 * a space, and the flags.
 */
const appendFunction = (tables: Tables): string => `
CREATE OR REPLACE FUNCTION ${tables.append}(updates json, messages text[]) RETURNS text LANGUAGE plpgsql ${setting} AS $function$
#variable_conflict use_column
DECLARE
  message text;
  last bigint;
  added integer;
  flags text;
BEGIN
  FOREACH message IN ARRAY messages LOOP
    PERFORM pg_notify(${tables.channel}, 'm' || message);
  END LOOP;
  IF updates IS NULL THEN RETURN NULL; END IF;
  PERFORM pg_advisory_xact_lock(${lock('append', tables)});
  ${readLast(tables)}
  WITH ${store(
    tables,
    `ROWS FROM (json_to_recordset(updates) AS (id text, topics text[], data text, type text, retry bigint, private boolean, exact bytea,
      created_at timestamptz)) WITH ORDINALITY AS s(id, topics, data, type, retry, private, exact, created_at, place)`,
    { time: 'coalesce(s.created_at, clock_timestamp())', exact: 's.exact' },
  ).trimStart()}
  RETURN last - added || ' ' || flags;
END $function$;`

/** Moves what SQL has published to the log, \`most\` updates at a time; says how many. Where another hub does that just now, nothing. */
const takeFunction = (tables: Tables): string => `
CREATE FUNCTION ${tables.take}(most integer) RETURNS integer LANGUAGE plpgsql ${setting} AS $function$
DECLARE
  last bigint;
  added integer;
  flags text;
BEGIN
  IF NOT pg_try_advisory_xact_lock(${lock('take', tables)}) THEN RETURN 0; END IF;
  PERFORM pg_advisory_xact_lock(${lock('append', tables)});
  ${readLast(tables)}
  WITH taken AS (
    DELETE FROM ${tables.inbox} WHERE number IN (SELECT number FROM ${tables.inbox} ORDER BY number LIMIT most)
    RETURNING number AS place, id, topics, data, type, retry, private
  ), ${store(tables, 'taken AS s', { time: 'clock_timestamp()', exact: 'NULL' }).trimStart()}
  RETURN added;
END $function$;`

/** Removes the oldest updates that are over a bound (0: none), \`most\` at a time; says how many. The newest always stays. */
const trimFunction = (tables: Tables): string => `
CREATE FUNCTION ${tables.trim}(size bigint, max_age_seconds double precision, most integer) RETURNS integer
LANGUAGE plpgsql ${setting} AS $function$
DECLARE
  last bigint;
  removed integer;
BEGIN
  IF NOT pg_try_advisory_xact_lock(${lock('trim', tables)}) THEN RETURN 0; END IF;
  SELECT max(number) INTO last FROM ${tables.updates};
  DELETE FROM ${tables.updates} WHERE number IN (
    SELECT number FROM (SELECT number, created_at FROM ${tables.updates} ORDER BY number LIMIT most) AS oldest
    WHERE number < last AND (
      size > 0 AND number <= last - size
      OR max_age_seconds > 0 AND created_at < clock_timestamp() - make_interval(secs => max_age_seconds)
    )
  );
  GET DIAGNOSTICS removed = ROW_COUNT;
  RETURN removed;
END $function$;`

/** Makes the schema, for a role that may. */
export const defineSchema = ({ schema }: Tables): string => `CREATE SCHEMA IF NOT EXISTS ${identifier(schema)}`
