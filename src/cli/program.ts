import { Command } from 'commander'
import manifest from '../../package.json' with { type: 'json' }
import { HubError } from '../errors.ts'
import { benchCommand } from './bench.ts'
import { caddyCommand } from './caddy.ts'
import { checkCommand } from './check.ts'
import { healthCommand } from './health.ts'
import { historyCommand } from './history.ts'
import { serveCommand } from './serve.ts'
import { tokenCommand } from './token.ts'

/** Runs the command that the arguments of the process name. */
export async function run(): Promise<void> {
  const program = new Command('talaria')
    .description('An open Mercure hub.')
    .configureHelp({ subcommandTerm: command => command.name() })
    .version(manifest.version, '-V, --version', 'print the version')
    .addCommand(serveCommand(), { isDefault: true })
    .addCommand(checkCommand())
    .addCommand(healthCommand())
    .addCommand(tokenCommand())
    .addCommand(historyCommand())
    .addCommand(benchCommand())
    .addCommand(caddyCommand(), { hidden: true })

  try {
    await program.parseAsync()
  } catch (error) {
    if (!(error instanceof HubError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  }
}
