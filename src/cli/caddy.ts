import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { Command } from 'commander'
import { HubError } from '../errors.ts'
import { run } from './serve.ts'

/**
 * `/usr/bin/caddy run --config /etc/caddy/dev.Caddyfile`: the command by which compose files of the reference hub's image choose between
 * the two configurations in it. It runs this hub, in development as that one would be.
 */
export function caddyCommand(): Command {
  return new Command('caddy')
    .alias('/usr/bin/caddy')
    .argument('[words...]')
    .allowUnknownOption()
    .helpOption(false)
    .action(async ([verb, ...options]: string[]) => {
      if (verb !== 'run')
        throw new HubError('configuration_invalid', 'There is no Caddy here, but "caddy run" runs the hub.')
      const isDevelopment = asksForDevelopment(readFileName(options))
      await run({ playground: isDevelopment }, [isDevelopment ? forDevelopment : forProduction])
    })
}

const forProduction = 'command: "caddy run" is not needed: the hub runs without.'
const forDevelopment =
  'command: "caddy run" with the dev.Caddyfile runs a hub for development: everybody may subscribe, and every page read. The line "playground" in MERCURE_EXTRA_DIRECTIVES does the same; take the command out.'

/** The value of `--config`, `-config` or `-c`. */
function readFileName(options: readonly string[]): string {
  const at = options.findIndex(option => /^(--?config|-c)(=|$)/.test(option))
  return (options[at]?.includes('=') ? options[at].replace(/^[^=]*=/, '') : options[at + 1]) ?? ''
}

/** @throws HubError `configuration_invalid` for a Caddyfile of the operator's own */
function asksForDevelopment(file: string): boolean {
  const name = basename(file)
  const isDevelopment = /^(dev\.Caddyfile|Caddyfile\.dev)$/.test(name)
  if ((isDevelopment || name === 'Caddyfile') && !existsSync(file)) return isDevelopment
  throw new HubError(
    'configuration_invalid',
    'command: this hub reads no Caddyfile. Write what is in the "mercure" block of yours as MERCURE_EXTRA_DIRECTIVES, and take the command and the file out.',
  )
}
