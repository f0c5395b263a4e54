import { constants } from 'node:os'
import { Command } from 'commander'
import { type LoadOptions, loadConfig } from '../config/load.ts'
import { locate } from '../config/problem.ts'
import { addConfigOptions, readFlags } from '../config/sources/flags.ts'
import { createLog } from '../log.ts'
import type { serve } from '../serve.ts'
import { examples } from './examples.ts'

/** `talaria serve`, and `talaria` alone: runs a hub until it is told to stop. */
export function serveCommand(): Command {
  const command = new Command('serve').description('Run a hub (the default command).')
  addConfigOptions(command).addHelpText('after', examples('talaria serve --config mercure.yaml --addr :3000'))
  return command.action(() => run({ flags: readFlags(command) }))
}

/**
 * Signals within this time are one: a supervisor may signal a script in front of the hub, which passes it on, and the hub as well. Who signals
 * later means it: streams are not waited for any more.
 */
const sameOrderMs = 1000

/** Client libraries leave timers behind, which would hold the process longer when all is closed. */
const lingerMs = 250

/** Runs a hub, and ends it when the process is told to stop. `said`: sentences for the log, before those on the configuration. */
export async function run(options: LoadOptions, said: readonly string[] = []): Promise<void> {
  const { config, warnings, sources } = await loadConfig(options)
  const log = createLog({ format: config.logFormat, debug: config.debug })
  for (const warning of [...said, ...warnings]) log.warn(warning)
  // What state the hub is in then, nobody knows: it ends, as Node has it, but not without a line in the log.
  process.on('uncaughtExceptionMonitor', error => log.fatal({ err: error }, 'a defect ends the hub'))
  const serving: Promise<Running> = config.workers === 1 ? serveAlone(config, log) : serveByWorkers(config, log)
  const hub = await serving.catch(error => {
    throw locate(error, sources)
  })
  hub.attached?.catch(() => {
    process.exitCode = 1
  })
  let toldAt: number | undefined
  // A terminal that is closed sends SIGHUP.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => {
      const now = performance.now()
      toldAt ??= now
      if (now - toldAt >= sameOrderMs) {
        // As fatal it is written before the process ends.
        log.fatal(`told again to stop (${signal}): the hub ends at once`)
        process.exit(128 + constants.signals[signal])
      }
      hub
        .close()
        .catch(error => {
          log.error({ err: error }, 'the hub did not stop cleanly')
          process.exitCode = 1
        })
        .finally(() => setTimeout(() => process.exit(), lingerMs).unref())
    })
  }
}

interface Running {
  readonly attached?: Promise<void>
  close(): Promise<void>
}

// The parts of a hub are loaded where there is one: other commands are short, and one of them asks every few seconds how it is.
const serveAlone = async (...[config, log]: Parameters<typeof serve>) =>
  await (await import('../serve.ts')).serve(config, log)

/** A hub of one process does without what several need. */
const serveByWorkers = async (...[config, log]: Parameters<typeof serve>) =>
  await (await import('../serve-workers.ts')).serveWorkers(config, log)
