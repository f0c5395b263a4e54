import { Command } from 'commander'
import { formatAddress } from '../config/address.ts'
import type { Config, Roles } from '../config/config.ts'
import { redactDsn } from '../config/dsn.ts'
import { formatDuration } from '../config/duration.ts'
import { addConfigOptions, readFlags } from '../config/flags.ts'
import type { Verifier } from '../config/key.ts'
import { loadConfig } from '../config/load.ts'

/** `talaria check`: validates a configuration and says what it means. */
export function checkCommand(): Command {
  const command = new Command('check').description('Validate a configuration and explain it.')
  addConfigOptions(command)
  command.option('--json', 'print the explanation as JSON')
  return command.action(async () => {
    const { config, warnings, file } = await loadConfig({ flags: readFlags(command) })
    const facts = { configuration: file ?? 'no file: environment and flags only', ...explain(config) }
    if (command.opts()['json'] === true) {
      process.stdout.write(`${JSON.stringify({ ...facts, warnings }, null, 2)}\n`)
      return
    }
    const width = Math.max(...Object.keys(facts).map(name => name.length))
    for (const [name, fact] of Object.entries(facts)) {
      const [first, ...rest] = [fact].flat()
      process.stdout.write(`${name.padEnd(width)}  ${first}\n`)
      for (const line of rest) process.stdout.write(`${' '.repeat(width)}  ${line}\n`)
    }
    for (const warning of warnings) process.stdout.write(`\nWarning: ${warning}\n`)
    process.stdout.write('\nThe configuration is good.\n')
  })
}

/** What a configuration means, in sentences; keys and passwords are described, never shown. */
function explain(config: Config): Record<string, string | string[]> {
  return {
    address: `${formatAddress(config.listen)}, ${config.tls === null ? 'plain HTTP' : `HTTPS with ${config.tls.certFile}`}`,
    transport: redactDsn(config.transportUrl),
    '0.x tokens': describeRoles(config.keys),
    '1.0 tokens': describeIssuers(config),
    subscribers: config.allowAnonymous
      ? 'anonymous ones get public updates; a token adds private ones'
      : 'need a token',
    subscriptions: config.subscriptions
      ? 'announced, and listed by the subscription API'
      : 'not announced and not listed',
    cookies: [...new Set([config.cookieNames['0.x'], config.cookieNames['1.0']])].join(' and '),
    'pages that may read': listed(config.corsAllowedOrigins, 'those of the hub only'),
    'pages that may publish': `${listed(config.publishAllowedOrigins, 'none')} (with a cookie)`,
    streams: [
      `a comment after ${time(config.heartbeatIntervalMs, 'no')} silence, at most ${time(config.writeTimeoutMs, 'unlimited')} life`,
      `ended as too slow when ${config.maxQueueBytes} bytes wait, or any for ${time(config.dispatchTimeoutMs, 'unlimited')}`,
    ],
    metrics:
      config.metrics === null
        ? 'off'
        : config.metrics === 'main'
          ? '/metrics'
          : `${formatAddress(config.metrics)}/metrics`,
  }
}

function describeRoles({ publisher, subscriber }: Roles): string[] | string {
  if (publisher === null && subscriber === null) return 'refused'
  return [`publishers: ${describeVerifier(publisher)}`, `subscribers: ${describeVerifier(subscriber)}`]
}

function describeIssuers({ issuers }: Config): string[] | string {
  if (issuers.length === 0) return 'refused: no issuers are set'
  return issuers.flatMap(({ id, ...roles }) => [`of ${id}`, ...[describeRoles(roles)].flat().map(line => `  ${line}`)])
}

function describeVerifier(verifier: Verifier | null): string {
  if (verifier === null) return 'refused'
  if ('jwksUrl' in verifier) return `${verifier.algorithms.join(', ')} with the keys at ${verifier.jwksUrl.href}`
  const bytes = Buffer.byteLength(verifier.key)
  return verifier.algorithm.startsWith('HS')
    ? `${verifier.algorithm} with a secret of ${bytes} bytes`
    : `${verifier.algorithm} with a public key`
}

const listed = (items: readonly string[], none: string): string => (items.length === 0 ? none : items.join(', '))
const time = (ms: number, none: string): string => (ms === 0 ? none : formatDuration(ms))
