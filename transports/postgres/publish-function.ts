import { maxIdBytes } from '../../src/protocol/event-id.ts'
import { hubPath } from '../../src/protocol/topic.ts'
import { earliest, hubEventType, maxTopicsPerUpdate } from '../../src/protocol/update.ts'
import { literal, type Tables } from './tables.ts'

/** What one call takes at most of topics, data, id and type together, in bytes. */
const maxBytes = 16 << 20

/** Control and format characters, which generation 1.0 has in no topic, id or type; as a range of PostgreSQL's regular expressions. */
const forbidden =
  '[\\u0001-\\u001F\\u007F-\\u009F\\u00AD\\u0600-\\u0605\\u061C\\u06DD\\u070F\\u0890\\u0891\\u08E2\\u180E\\u200B-\\u200F\\u202A-\\u202E\\u2060-\\u2064\\u2066-\\u206F\\uFEFF\\uFFF9-\\uFFFB\\U000110BD\\U000110CD\\U00013430-\\U0001343F\\U0001BCA0-\\U0001BCA3\\U0001D173-\\U0001D17A\\U000E0001\\U000E0020-\\U000E007F]'

/** A text in a regular expression: each character may be escaped as in a URL. */
const escapable = (text: string): string =>
  [...text]
    .map(character => {
      const hex = character.codePointAt(0)!.toString(16).padStart(2, '0')
      const digits = [...hex].map(digit => (/[a-f]/.test(digit) ? `[${digit}${digit.toUpperCase()}]` : digit)).join('')
      return `(?:${/\w/.test(character) ? character : `[${character}]`}|%${digits})`
    })
    .join('')

const [, room = '', name = ''] = hubPath.split('/')
const slash = '[/\\\\]'
const segment = `${escapable(name)}(?:[/\\\\?#]|$)`
const dot = escapable('.')

/**
 * Topics of the hub's own namespace in either generation. Generation 1.0 resolves a topic as a URL, which SQL cannot: what might
 * resolve to there counts as there. That is the path itself, also with escapes; a relative topic that leads to it from the hub's own; and
 * what has a segment \`..\` before its name.
 */
const reserved = [
  escapable(room) + slash + segment,
  `^\\s*(?:${dot}{1,2}${slash})*${segment}`,
  `${slash}?${dot}${dot}${slash}(?:.*${slash})?${segment}`,
  `${escapable(room)}${slash}(?:.*${slash})?${segment}`,
  '^\\s*(?:[a-zA-Z][a-zA-Z0-9+.-]*:)?(?:[?#]|$)',
].join('|')

const refuse = (condition: string, message: string, ...values: string[]): string => `
  IF ${condition} THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format(${[literal(message), ...values].join(', ')});
  END IF;`

/**
 * The function that publishes an update with the caller's transaction: when that is committed, and not before, every subscriber gets it. It inserts a
 * row and waits for nobody. It has the rights of its owner: who may execute it needs no others, and must be granted that.
 */
export const publishFunction = ({ publish, inbox, channel }: Tables): string => `
CREATE OR REPLACE FUNCTION ${publish}(
  topics text[], data text DEFAULT '', private boolean DEFAULT false, id text DEFAULT NULL, type text DEFAULT NULL, retry bigint DEFAULT NULL
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
#variable_conflict use_variable
DECLARE
  topic text;
  update_id text := coalesce(nullif(id, ''), 'urn:uuid:' || gen_random_uuid());
BEGIN
  ${refuse('coalesce(cardinality(topics), 0) = 0', 'mercure: an update needs a topic; pass ARRAY[topic].')}
  ${refuse(`cardinality(topics) > ${maxTopicsPerUpdate}`, `mercure: too many topics: %s, at most ${maxTopicsPerUpdate}.`, 'cardinality(topics)')}
  ${refuse('array_ndims(topics) > 1', 'mercure: topics is an array of arrays; pass ARRAY[topic, …].')}
  ${refuse(
    `octet_length(array_to_string(topics, '')) + coalesce(octet_length(data), 0) + octet_length(update_id) + coalesce(octet_length(type), 0) > ${maxBytes}`,
    'mercure: the update is too large; it may have 16 MiB.',
  )}
  FOREACH topic IN ARRAY topics LOOP
    ${refuse('topic IS NULL', 'mercure: a topic is NULL.')}
    ${refuse(`topic = ''`, `mercure: a topic is empty, which resolves to the hub's own address, in the "${hubPath}" namespace.`)}
    ${refuse(`topic = '*'`, 'mercure: "*" is the matcher of every topic and cannot be published to.')}
    ${refuse(`topic ~ ${literal(forbidden)}`, 'mercure: the topic %s has a control character.', 'to_json(left(topic, 200))')}
    ${refuse(
      `strpos(topic, ${literal(hubPath)}) > 0 OR topic ~ ${literal(reserved)}`,
      `mercure: the topic %s is in the "${hubPath}" namespace, which is the hub's own.`,
      'to_json(left(topic, 200))',
    )}
  END LOOP;
  ${refuse(`update_id ~ ${literal(forbidden)}`, 'mercure: the id has a control character.')}
  ${refuse(
    `octet_length(update_id) > ${maxIdBytes}`,
    `mercure: the id is too long (at most ${maxIdBytes} bytes): subscribers reconnect with it in a header.`,
  )}
  ${refuse(
    `left(update_id, 1) = ' ' OR right(update_id, 1) = ' '`,
    'mercure: the id has a space at an end, which the header with which subscribers reconnect could not carry.',
  )}
  ${refuse(`left(update_id, 1) = '#'`, 'mercure: the id starts with "#", which is reserved.')}
  ${refuse(`update_id = ${literal(earliest)}`, `mercure: the id is "${earliest}", which is the cursor of the whole history.`)}
  ${refuse(`type ~ ${literal(forbidden)}`, 'mercure: the type has a control character.')}
  ${refuse(`type = ${literal(hubEventType)}`, `mercure: the type is "${hubEventType}", which the hub keeps for subscription events.`)}
  ${refuse(
    `retry NOT BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER}`,
    `mercure: retry is %s; it is a number of milliseconds, from 0 to ${Number.MAX_SAFE_INTEGER}.`,
    'retry',
  )}
  INSERT INTO ${inbox} (id, topics, data, type, retry, private)
    VALUES (update_id, topics, coalesce(data, ''), coalesce(type, ''), coalesce(retry, 0), coalesce(private, false));
  PERFORM pg_notify(${channel}, 'i');
  RETURN update_id;
END $function$;
REVOKE ALL ON FUNCTION ${publish}(text[], text, boolean, text, text, bigint) FROM PUBLIC;`
