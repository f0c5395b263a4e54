import { type Command, Option } from 'commander'
import { type Key, keys } from '../schema.ts'
import type { Layer } from './layer.ts'

/** What the command line says of the configuration. */
export interface Flags {
  /** `--config`; `undefined`: the usual places. */
  readonly file: string | undefined
  readonly layer: Layer
}

export const noFlags: Flags = { file: undefined, layer: { values: {}, where: () => '' } }

/** The keys that have a flag: its short letter where the 0.x hub had one, its value, and a word on it. mercure.yaml says more. */
const flags: Readonly<Partial<Record<Key, readonly [letter: string, value: string, description: string]>>> = {
  addr: ['a', '<host:port>', 'where to listen'],
  transport_url: ['t', '<url>', 'the log that keeps updates'],
  transport_url_file: ['', '<file>', 'a file with that URL'],
  jwt_key: ['k', '<key>', 'of publishers and subscribers'],
  jwt_key_file: ['', '<file>', 'a file with that key'],
  jwt_algorithm: ['O', '<name>', 'its algorithm'],
  publisher_jwt_key: ['K', '<key>', 'of publishers'],
  publisher_jwt_key_file: ['', '<file>', 'a file with that key'],
  publisher_jwt_algorithm: ['A', '<name>', 'its algorithm'],
  publisher_jwks_url: ['', '<url>', 'the JWK Set of publishers'],
  subscriber_jwt_key: ['L', '<key>', 'of subscribers'],
  subscriber_jwt_key_file: ['', '<file>', 'a file with that key'],
  subscriber_jwt_algorithm: ['B', '<name>', 'its algorithm'],
  subscriber_jwks_url: ['', '<url>', 'the JWK Set of subscribers'],
  resource_identifier: ['', '<url>', 'what the aud of a token must name'],
  protocol: ['', '<name>', 'auto, 1.0 or 0.x'],
  allow_anonymous: ['X', '[boolean]', 'allow subscribers without a token'],
  subscriptions: ['s', '[boolean]', 'the subscription API and its events'],
  cookie_name: ['', '<name>', 'the cookie that may hold a token'],
  cors_allowed_origins: ['c', '<origin...>', 'whose pages may read'],
  publish_allowed_origins: ['p', '<origin...>', 'whose may publish with a cookie'],
  public_urls: ['', '<url...>', 'where the hub may be asked'],
  cert_file: ['C', '<file>', 'certificate chain, PEM'],
  key_file: ['J', '<file>', 'its private key, PEM'],
  heartbeat_interval: ['i', '<time>', 'silence before a comment is sent'],
  read_timeout: ['R', '<time>', 'time for a whole request'],
  read_header_timeout: ['', '<time>', "time for a request's head"],
  write_timeout: ['W', '<time>', "a stream's longest life"],
  dispatch_timeout: ['T', '<time>', 'longest wait for a slow reader'],
  publish_timeout: ['', '<time>', 'longest wait of a publisher'],
  shutdown_timeout: ['', '<time>', 'time to end streams in, evenly'],
  max_request_body_size: ['', '<size>', 'the longest body'],
  max_queue_bytes: ['', '<size>', 'what may wait for one subscriber'],
  max_queue_bytes_total: ['', '<size>', 'what may wait for all together'],
  workers: ['', '<number>', 'processes on that address, or auto'],
  compress: ['Z', '[boolean]', 'compress streams for those who ask'],
  use_forwarded_headers: ['f', '[boolean]', 'trust X-Forwarded-* and Forwarded'],
  trusted_proxies: ['', '<network...>', 'whose'],
  debugger: ['', '[boolean]', 'a page to watch and try the hub'],
  demo: ['D', '[boolean]', 'the same for everybody, and echoes'],
  debug: ['d', '[boolean]', 'log updates with their payloads'],
  log_format: ['l', '<name>', 'TEXT or JSON'],
  metrics_enabled: ['', '[boolean]', 'figures for Prometheus'],
  metrics_addr: ['', '<host:port>', 'where they are'],
  admin_addr: ['', '<host:port>', 'where operators revoke tokens'],
  admin_secret: ['', '<text>', 'what they must have'],
  admin_secret_file: ['', '<file>', 'a file with that secret'],
  tracing: ['', '[boolean]', 'spans for OpenTelemetry'],
  tracing_endpoint: ['', '<url>', 'the collector that gets them'],
  tracing_service_name: ['', '<name>', 'what the hub is called there'],
  tracing_sample: ['', '<share>', 'of the traces that begin here'],
  license: ['', '<text>', 'not needed'],
}

/** Where a group of flags begins, as in mercure.yaml. */
const headings: Readonly<Partial<Record<Key, string>>> = {
  addr: 'Where it listens:',
  transport_url: 'The log that keeps updates:',
  jwt_key: 'Tokens of generation 0.x:',
  resource_identifier: 'Tokens of generation 1.0 (issuers are set in the file):',
  protocol: 'Who may do what:',
  heartbeat_interval: 'Times and bounds:',
  log_format: 'Watching it:',
}

/** Flags of the 0.x hub that have gone: accepted here, to be refused with a word on what to do instead. */
const retired: Readonly<Record<string, string>> = { acme_hosts: 'o', acme_cert_dir: 'E', metrics: 'm', tcsz: '' }

/** Adds `--config` and a flag for each key of one value. `-dX` means `-d -X`, as it did. */
export function addConfigOptions(command: Command): Command {
  command.combineFlagAndOptionalValue(false)
  command.configureOutput({ outputError: (sentence, write) => write(withoutValues(sentence)) })
  command.configureHelp({
    minWidthToWrap: 20, // the flags leave little of a terminal's 80 columns
    optionTerm: ({ short, flags }) => (short === undefined ? `    ${flags}` : flags),
  })
  command.option('--config <file>', 'instead of mercure.yaml')
  let heading = ''
  for (const key of keys) {
    heading = headings[key] ?? heading
    const flag = flags[key]
    if (flag === undefined) continue
    const [letter, value, description] = flag
    const name = `${letter === '' ? '' : `-${letter}, `}${longName(key)}`
    command.addOption(new Option(`${name} ${value}`, description).helpGroup(heading))
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

/** Commander quotes the arguments that it does not know, and these may hold a secret. */
const withoutValues = (sentence: string): string =>
  sentence.replace(/( option '(?:--[^=']*|-[^-]))[\s\S]*'/, "$1'").replace(/( but got \d+): [\s\S]*/, '$1.\n')
