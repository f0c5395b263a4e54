import { invalid, quote } from './invalid.ts'
import { didYouMean } from './nearest.ts'
import { parseDuration } from './values/duration.ts'
import { parseSize } from './values/size.ts'
import { parseSwitch } from './values/switch.ts'

/** What may stand before `:` in `transport_url`. `transports/index.ts` has a file for each. */
export const schemes = [
  'local',
  'bolt',
  'redis',
  'rediss',
  'valkey',
  'postgres',
  'postgresql',
  'kafka',
  'pulsar',
  'pulsar+ssl',
  'pulsar+ws',
  'pulsar+wss',
] as const
export type Scheme = (typeof schemes)[number]

export const schemeOf = (url: URL): string => url.protocol.slice(0, -1)

/**
 * Reads the URL that chooses a transport: `scheme://where?option=value`.
 * @throws HubError `configuration_invalid`; the message holds nothing of the URL but its scheme
 */
export function parseDsn(text: string): URL {
  const [, scheme] = /^([a-z][a-z0-9+.-]*):/i.exec(text) ?? []
  if (scheme === undefined) {
    const file = /^[\w./-]+\.db$/.test(text) ? ` Did you mean "bolt://${text}"?` : ''
    throw invalid(`is not a URL; write it like local://local or redis://host:6379/stream.${file}`)
  }
  if (scheme === 'null') throw invalid('null:// is called local://local now.')
  if (!(schemes as readonly string[]).includes(scheme.toLowerCase())) {
    throw invalid(`there is no transport "${scheme}".${didYouMean(scheme, schemes)} There are: ${schemes.join(', ')}.`)
  }
  const single = withOneHost(text)
  const url = URL.canParse(single) ? new URL(single) : undefined
  if (url === undefined || url.hash !== '') {
    if (scheme.toLowerCase() === 'bolt') {
      throw invalid(
        'this bolt: URL cannot be read; write a path like bolt://updates.db or bolt:///var/lib/updates.db, in it %20 for a space, %23 for #, %3F for ? and %25 for %.',
      )
    }
    throw invalid(
      `this ${scheme}: URL cannot be read; write scheme://user:password@host:port/path?option=value, and percent-encode # / ? @ : % in user and password.`,
    )
  }
  return url
}

/**
 * libpq's `postgres://h1:1,h2:2/db` is no URL, since there is but one port in one: the servers become the options `host` and `port`, which mean the
 * same. Where these are there, they count instead of what is before the path.
 */
function withOneHost(text: string): string {
  const [, start = '', authority, rest = ''] =
    /^(postgres(?:ql)?:\/\/(?:[^@/?#]*@)?)([^@/?#]*,[^@/?#]*)(.*)$/is.exec(text) ?? []
  const servers = authority?.split(',').map(server => /^(\[[\da-f:.]+\]|[^:[\]]*)(?::(\d{0,5}))?$/i.exec(server))
  if (servers === undefined || servers.includes(null)) return text
  const hosts = servers.map(server => server![1] || 'localhost')
  const ports = servers.map(server => server![2] || '5432')
  const hasPorts = servers.some(server => server![2])
  const [path = '', query = ''] = splitAt(rest, '?')
  const options = [
    ...(/(^|&)host=[^&]/.test(query) ? [] : [`host=${hosts.join(',')}`]),
    ...(!hasPorts || /(^|&)(host|port)=[^&]/.test(query) ? [] : [`port=${ports.join(',')}`]),
    ...(query === '' ? [] : [query]),
  ]
  return `${start}${hosts[0]}${path}?${options.join('&')}`
}

function splitAt(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

/** The kinds of option values; each reads one text and throws a sentence. */
const kinds = {
  text: (value: string) => value,
  /** A whole number from 0. */
  count(value: string): number {
    if (/^\d{1,15}$/.test(value)) return Number(value)
    throw invalid(`${quote(value)} is not a whole number of 0 or more.`)
  },
  /** Bytes. */
  size: parseSize,
  /** Milliseconds. */
  duration: parseDuration,
  /** From 0 to 1. */
  fraction(value: string): number {
    if (/^(0|1|0?\.\d+|0\.\d*|1\.0*)$/.test(value)) return Number(value)
    throw invalid(`${quote(value)} is not a number from 0 to 1.`)
  },
  flag: parseSwitch,
  /** Separated by commas, or the option given several times. */
  list: (value: string): readonly string[] => value.split(',').filter(item => item !== ''),
}

type Kind = keyof typeof kinds
/** The options that a URL sets; a default is the reader's: `const { size = 0 } = readOptions(…)`. */
export type Options<Kinds extends Readonly<Record<string, Kind>>> = {
  readonly [Name in keyof Kinds]?: ReturnType<(typeof kinds)[Kinds[Name]]>
}

/**
 * Reads the query of a transport's URL: `readOptions(url, { size: 'count', max_age: 'duration' })`.
 * Durations come in milliseconds, sizes in bytes. An option without a value counts as not set.
 * @throws HubError `configuration_invalid` for an unknown option, one that is given twice, or a bad value
 */
export function readOptions<const Kinds extends Readonly<Record<string, Kind>>>(
  url: URL,
  optionKinds: Kinds,
): Options<Kinds> {
  const where = `transport_url, ${schemeOf(url)}:`
  const names = Object.keys(optionKinds)
  const options: Record<string, unknown> = {}
  for (const name of new Set(url.searchParams.keys())) {
    const kind = Object.hasOwn(optionKinds, name) ? optionKinds[name] : undefined
    if (kind === undefined) {
      // An unencoded "?" in a password makes the rest of it look like an option's name.
      const shown = /^[\w.-]{1,40}$/.test(name) ? ` "${name}".${didYouMean(name, names)}` : ' of such a name.'
      throw invalid(
        `${where} there is no option${shown} ${names.length === 0 ? 'It takes none.' : `It takes: ${names.join(', ')}.`}`,
      )
    }
    const values = url.searchParams.getAll(name).filter(value => value !== '')
    if (values.length > 1 && kind !== 'list')
      throw invalid(`${where} ${name} is given ${values.length} times; once is enough.`)
    if (values.length === 0) continue
    try {
      options[name] = kinds[kind](values.join(','))
    } catch (error) {
      throw invalid(`${where} ${name}: ${(error as Error).message}`)
    }
  }
  return options as Options<Kinds>
}

/** A transport's URL for logs and reports: without password and without options that hold secrets. */
export function redactDsn(url: URL): string {
  const redacted = new URL(url)
  if (redacted.password !== '') redacted.password = hidden
  for (const name of new Set(redacted.searchParams.keys())) {
    if (/pass|secret|token|key|credential|auth/i.test(name)) redacted.searchParams.set(name, hidden)
  }
  return redacted.href
}

const hidden = '***'
