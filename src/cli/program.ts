import { Command } from 'commander'
import manifest from '../../package.json' with { type: 'json' }
import { didYouMean } from '../config/nearest.ts'
import { HubError } from '../errors.ts'
import { benchCommand } from './bench.ts'
import { caddyCommand } from './caddy.ts'
import { checkCommand } from './check.ts'
import { completionCommand } from './completion.ts'
import { healthCommand } from './health.ts'
import { historyCommand } from './history.ts'
import { printable } from './printable.ts'
import { publishCommand } from './publish.ts'
import { revokeCommand } from './revoke.ts'
import { serveCommand } from './serve.ts'
import { subscriptionsCommand } from './subscriptions.ts'
import { tailCommand } from './tail.ts'
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
    .addCommand(publishCommand())
    .addCommand(tailCommand())
    .addCommand(subscriptionsCommand())
    .addCommand(revokeCommand())
    .addCommand(historyCommand())
    .addCommand(benchCommand())
    .addCommand(caddyCommand(), { hidden: true })
  program.addCommand(completionCommand(program))

  requireCommand(program, process.argv[2])
  try {
    await program.parseAsync()
  } catch (error) {
    if (!(error instanceof HubError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  }
}

/** What is no command would be taken for arguments and flags of the default one, and answered with a word on those. */
function requireCommand(program: Command, word: string | undefined): void {
  if (word === undefined || word === '' || word.startsWith('-')) return
  const names = ['help', ...program.commands.flatMap(command => [command.name(), ...command.aliases()])]
  if (names.includes(word)) return
  program.error(
    `error: there is no command "${printable(word.slice(0, 40))}": see talaria --help.${didYouMean(word, names)}`,
  )
}
