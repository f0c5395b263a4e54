#!/usr/bin/env node
import { Command } from 'commander'
import { checkCommand } from './cli/check.ts'
import { serveCommand } from './cli/serve.ts'
import { tokenCommand } from './cli/token.ts'
import { HubError } from './errors.ts'

const program = new Command('talaria')
  .description('An open Mercure hub.')
  .addCommand(serveCommand(), { isDefault: true })
  .addCommand(checkCommand())
  .addCommand(tokenCommand())

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof HubError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}
