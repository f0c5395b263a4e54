/** What a log consists of, each with its schema, ready for a statement. */
export interface Tables {
  /** The schema alone, as text. */
  readonly schema: string
  /** One row: which version of all this it is. */
  readonly log: string
  /** The updates, numbered in the order in which they were committed. */
  readonly updates: string
  /** What SQL has published and what has no number yet. */
  readonly inbox: string
  /** Keys with which updates were published, as long as they are remembered. */
  readonly keys: string
  /** The sequence: the last number given. */
  readonly numbers: string
  /** Functions; `publish` is the one for everybody. */
  readonly publish: string
  readonly append: string
  readonly appendOnce: string
  readonly take: string
  readonly trim: string
  /** The index by id. */
  readonly ids: string
  /** What an expression of SQL gives for the channel of notifications. */
  readonly channel: string
}

export function tablesOf(schema: string, prefix: string): Tables {
  const named = (name: string) => `${identifier(schema)}.${identifier(`${prefix}_${name}`)}`
  return {
    schema,
    log: named('log'),
    updates: named('updates'),
    inbox: named('inbox'),
    keys: named('keys'),
    numbers: named('numbers'),
    publish: named('publish'),
    append: named('append'),
    appendOnce: named('append_once'),
    take: named('take'),
    trim: named('trim'),
    ids: identifier(`${prefix}_updates_id`),
    channel: `'mercure_' || ${literal(named('updates'))}::regclass::oid`,
  }
}

/** A name in SQL, whatever it has. */
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A text in SQL. */
export const literal = (text: string): string =>
  text.includes('\\') ? ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'` : `'${text.replaceAll("'", "''")}'`
