import { lock, setting } from './functions.ts'
import type { Tables } from './tables.ts'

/** Expired keys that one call removes at most: more than it adds. */
const removedPerCall = 1000

/**
 * Makes the memory of keys, and a function that stores as `append` does what has no key, or one that is not remembered. Of the others it gives
 * their index, and fingerprint and id of the update that has the key. A key comes once in a call. Who looks at keys holds the lock for appending,
 * so that of two hubs with the same key the second sees what the first has done.
 */
export const defineKeys = (tables: Tables): string => `
CREATE TABLE ${tables.keys} (
  key text COLLATE "C" PRIMARY KEY,
  fingerprint text NOT NULL,
  id text NOT NULL,
  ends_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, vacuum_truncate = false);
CREATE INDEX ON ${tables.keys} (ends_at);
COMMENT ON TABLE ${tables.keys} IS 'By what a request that publishes once more is recognised; for some minutes.';

CREATE FUNCTION ${tables.appendOnce}(updates json, messages text[], OUT answer text, OUT known json) LANGUAGE plpgsql ${setting} AS $function$
DECLARE
  kept json;
BEGIN
  PERFORM pg_advisory_xact_lock(${lock('append', tables)});
  DELETE FROM ${tables.keys} WHERE key IN (
    SELECT key FROM ${tables.keys} WHERE ends_at <= clock_timestamp() ORDER BY ends_at LIMIT ${removedPerCall}
  );
  SELECT json_agg(item ORDER BY place) FILTER (WHERE k.key IS NULL),
    json_agg(json_build_array(place - 1, k.fingerprint, k.id)) FILTER (WHERE k.key IS NOT NULL)
  FROM json_array_elements(updates) WITH ORDINALITY AS given(item, place)
    LEFT JOIN ${tables.keys} AS k ON k.key = item->>'key' AND k.ends_at > clock_timestamp()
  INTO kept, known;
  INSERT INTO ${tables.keys} (key, fingerprint, id, ends_at)
    SELECT item->>'key', item->>'fingerprint', item->>'id', clock_timestamp() + make_interval(secs => (item->>'remember_ms')::bigint / 1000.0)
    FROM json_array_elements(kept) AS given(item) WHERE item->>'key' IS NOT NULL
    ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, id = excluded.id, ends_at = excluded.ends_at;
  answer := ${tables.append}(kept, messages);
END $function$;
REVOKE ALL ON FUNCTION ${tables.appendOnce}(json, text[]) FROM PUBLIC;`
