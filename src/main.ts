#!/usr/bin/env node
import { Command } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import { benchCommand } from './cli/bench.ts'
import { checkCommand } from './cli/check.ts'
import { historyCommand } from './cli/history.ts'
import { serveCommand } from './cli/serve.ts'
import { tokenCommand } from './cli/token.ts'
import { HubError } from './errors.ts'

// Flags may hold keys, and every user of the machine may read the arguments of its processes.
process.title = 'talaria'

const program = new Command('talaria')
  .description('An open Mercure hub.')
  .configureHelp({ subcommandTerm: command => command.name() })
  .version(manifest.version, '-V, --version', 'print the version')
  .addCommand(serveCommand(), { isDefault: true })
  .addCommand(checkCommand())
  .addCommand(tokenCommand())
  .addCommand(historyCommand())
  .addCommand(benchCommand())

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof HubError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}
