import { type Command, Option } from 'commander'
import type { Layer } from './layer.ts'
import { type Key, keys } from './schema.ts'

/** What the command line says of the configuration. */
export interface Flags {
  /** `--config`; `undefined`: the usual places. */
  readonly file: string | undefined
  readonly layer: Layer
}

export const noFlags: Flags = { file: undefined, layer: { values: {}, where: () => '' } }

type Kind = 'text' | 'switch' | 'list'

/** The keys that have a flag: its short letter where the 0.x hub had one, its kind, and a word on it. mercure.yaml says more. */
const flags: Readonly<Partial<Record<Key, readonly [letter: string, kind: Kind, description: string]>>> = {
  addr: ['a', 'text', 'listen on host:port'],
  transport_url: ['t', 'text', 'the log that keeps updates'],
  transport_url_file: ['', 'text', 'a file with that URL'],
  jwt_key: ['k', 'text', 'key of 0.x tokens, for both roles'],
  jwt_key_file: ['', 'text', 'a file with that key'],
  jwt_algorithm: ['O', 'text', 'its algorithm'],
  publisher_jwt_key: ['K', 'text', "key of publishers' 0.x tokens"],
  publisher_jwt_key_file: ['', 'text', 'a file with that key'],
  publisher_jwt_algorithm: ['A', 'text', 'its algorithm'],
  publisher_jwks_url: ['', 'text', "JWK Set of publishers' 0.x tokens"],
  subscriber_jwt_key: ['L', 'text', "key of subscribers' 0.x tokens"],
  subscriber_jwt_key_file: ['', 'text', 'a file with that key'],
  subscriber_jwt_algorithm: ['B', 'text', 'its algorithm'],
  subscriber_jwks_url: ['', 'text', "JWK Set of subscribers' 0.x tokens"],
  resource_identifier: ['', 'text', 'what the aud of 1.0 tokens must name'],
  protocol: ['', 'text', 'auto, 1.0 or 0.x'],
  allow_anonymous: ['X', 'switch', 'allow subscribers without a token'],
  subscriptions: ['s', 'switch', 'offer the subscription API and events'],
  cookie_name: ['', 'text', 'the cookie that may hold a token'],
  cors_allowed_origins: ['c', 'list', 'origins whose pages may read'],
  publish_allowed_origins: ['p', 'list', 'origins whose pages may publish with a cookie'],
  public_urls: ['', 'list', 'origins under which the hub may be asked'],
  cert_file: ['C', 'text', 'certificate chain, PEM'],
  key_file: ['J', 'text', 'its private key, PEM'],
  heartbeat_interval: ['i', 'text', 'time between comments on a silent stream'],
  read_timeout: ['R', 'text', 'time for a whole request'],
  read_header_timeout: ['', 'text', "time for a request's head"],
  write_timeout: ['W', 'text', "a stream's longest life"],
  dispatch_timeout: ['T', 'text', 'time that bytes may wait for a reader'],
  shutdown_timeout: ['', 'text', 'time to end streams and requests'],
  max_request_body_size: ['', 'text', 'longest body'],
  max_queue_bytes: ['', 'text', 'bytes that may wait for one subscriber'],
  compress: ['Z', 'switch', 'no effect in this version'],
  use_forwarded_headers: ['f', 'switch', 'trust X-Forwarded-* and Forwarded'],
  demo: ['D', 'switch', 'a page at / that subscribes'],
  debug: ['d', 'switch', 'log updates with their payloads'],
  log_format: ['l', 'text', 'TEXT or JSON'],
  metrics_enabled: ['', 'switch', 'figures for Prometheus'],
  metrics_addr: ['', 'text', 'on this address'],
  license: ['', 'text', 'not needed'],
}

/** Flags of the 0.x hub that have gone: accepted here, to be refused with a word on what to do instead. */
const retired: Readonly<Record<string, string>> = { acme_hosts: 'o', acme_cert_dir: 'E', metrics: 'm', tcsz: '' }

/** Adds `--config` and a flag for each key of one value. `-dX` means `-d -X`, as it did. */
export function addConfigOptions(command: Command): Command {
  command.combineFlagAndOptionalValue(false)
  command.option(
    '--config <file>',
    'the configuration (default: mercure.yaml here, in ~/.config/mercure or /etc/mercure)',
  )
  for (const key of keys) {
    const flag = flags[key]
    if (flag === undefined) continue
    const [letter, kind, description] = flag
    const value = kind === 'switch' ? '[boolean]' : kind === 'list' ? '<value...>' : '<value>'
    command.addOption(new Option(`${letter === '' ? '' : `-${letter}, `}${longName(key)} ${value}`, description))
  }
  for (const [key, letter] of Object.entries(retired)) {
    command.addOption(new Option(`${letter === '' ? '' : `-${letter}, `}${longName(key)} [value]`).hideHelp())
  }
  return command
}

/** The flags that were given; lists with commas or repeated. */
export function readFlags(command: Command): Flags {
  const given = command.opts<Record<string, unknown>>()
  const values: Record<string, unknown> = {}
  for (const key of [...keys, ...Object.keys(retired)]) {
    const value = given[new Option(longName(key)).attributeName()]
    if (value !== undefined) values[key] = Array.isArray(value) ? value.join(' ') : value
  }
  return {
    file: given.config as string | undefined,
    layer: { values, where: path => longName(String(path[0])) },
  }
}

const longName = (key: string): string => `--${key.replaceAll('_', '-')}`
