import { styleText } from 'node:util'
import { Command } from 'commander'
import { type Loaded, loadConfig } from '../config/load.ts'
import { ConfigurationError, locate } from '../config/problem.ts'
import { addConfigOptions, type Flags, readFlags } from '../config/sources/flags.ts'
import { HubError } from '../errors.ts'
import { createLog } from '../log.ts'
import { examples } from './examples.ts'
import { explain } from './explain.ts'
import { writeOut } from './output.ts'
import { lineWidth, wrap } from './wrap.ts'

/** `talaria check`: validates a configuration and says what it means. Takes the flags of `serve`, too. */
export function checkCommand(): Command {
  const command = new Command('check').description('Validate a configuration and explain it.')
  command.argument('[file]', 'instead of mercure.yaml, as with --config')
  addConfigOptions(command)
    .option('--json', 'print JSON')
    .addHelpText('after', examples('talaria check /etc/mercure/mercure.yaml'))
  return command.action(async (file: string | undefined) => {
    const json = command.opts().json === true
    try {
      const loaded = await loadConfig({ flags: withFile(readFlags(command), file) })
      const { checkParts } = await import('../parts.ts')
      await checkParts(loaded.config, createLog({ format: 'text', debug: false })).catch(error => {
        throw locate(error, loaded.sources)
      })
      await writeOut(process.stdout, [json ? asJson({ valid: true, ...facts(loaded) }) : asText(loaded)])
    } catch (error) {
      if (!json || !(error instanceof HubError)) throw error
      const problems =
        error instanceof ConfigurationError ? error.problems : [{ key: null, where: null, message: error.message }]
      await writeOut(process.stdout, [asJson({ valid: false, problems })])
      process.exitCode = 1
    }
  })
}

/** @throws HubError `configuration_invalid`: two files */
function withFile(flags: Flags, file: string | undefined): Flags {
  if (file === undefined || flags.file === undefined) return { ...flags, file: file ?? flags.file }
  throw new HubError('configuration_invalid', 'Which file? --config names one, and the argument another.')
}

const asJson = (value: object): string => `${JSON.stringify(value, null, 2)}\n`

const facts = ({ file, sources, warnings, config }: Loaded) => ({ file, sources, warnings, meaning: explain(config) })

/** A block of sentences for each subject, wrapped to the terminal. */
function asText({ config, file, sources, warnings }: Loaded): string {
  const elsewhere = Object.entries(sources).filter(([, where]) => file === null || !where.startsWith(`${file}:`))
  const origin = [
    file ?? 'No file.',
    ...(elsewhere.length === 0
      ? []
      : [`Set elsewhere: ${elsewhere.map(([key, where]) => `${key} (${where})`).join(', ')}.`]),
  ]
  const subjects = Object.entries({ configuration: origin, ...explain(config) })
  const indent = 2 + Math.max(...subjects.map(([name]) => name.length))
  const width = Math.max(40, lineWidth() - indent)
  const blocks = subjects.map(([name, sentences]) => {
    const lines = sentences.flatMap(sentence => wrap(sentence, width))
    return `${styleText('bold', name.padEnd(indent))}${lines.join(`\n${' '.repeat(indent)}`)}`
  })
  const warned = warnings.map(warning => wrap(`Warning: ${warning}`, width + indent).join('\n'))
  const verdict =
    warned.length === 0 ? 'The configuration is good.' : 'The configuration is good, but see the warnings.'
  return `${[...blocks, '', ...warned.map(text => styleText('yellow', text)), verdict].join('\n')}\n`
}
