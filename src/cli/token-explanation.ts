import { styleText } from 'node:util'
import { type Command, Option } from 'commander'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { locate } from '../config/problem.ts'
import { noFlags } from '../config/sources/flags.ts'
import { isEveryInterface } from '../config/values/address.ts'
import { createLog } from '../log.ts'
import type { Explanation, Question } from '../parts.ts'
import { readHubUrl } from './client/hub-url.ts'
import { writeOut } from './output.ts'
import { printable } from './printable.ts'
import { readTextArgument } from './text-argument.ts'
import { lineWidth, wrap } from './wrap.ts'

/** The options of `talaria token --explain`, as commander reads them. */
export interface ExplainOptions {
  readonly explain?: string
  readonly config?: string
  readonly action?: Question['action']
  readonly topic: readonly string[]
  readonly match: readonly string[]
  readonly matchUrlpattern: readonly string[]
  readonly url?: string
  readonly json?: boolean
}

/** Under which heading of the help its options are. */
export const explainGroup = 'Why a hub refuses a token:'

export function addExplainOptions(command: Command): Command {
  const repeated = (value: string, before: string[]) => [...before, value]
  const options = [
    new Option('--explain <token>', 'say what a hub answers to this token, and why; @FILE and @- as for --key'),
    new Option('--config <file>', 'the configuration of that hub (default: the one that serve would take)'),
    new Option('--action <action>', 'what the token is for (default: as it grants)').choices([
      'publish',
      'subscribe',
      'subscriptions',
    ]),
    new Option('--topic <topic>', 'topic of an update to be published, or to be received (repeatable)')
      .argParser(repeated)
      .default([], 'any'),
    new Option('--match <topic>', 'topic to be subscribed to as in 1.0 (repeatable)')
      .argParser(repeated)
      .default([], 'none'),
    new Option('--match-urlpattern <pattern>', 'the same as a URL Pattern (repeatable)')
      .argParser(repeated)
      .default([], 'none'),
    new Option('--url <url>', "the hub's URL as its clients know it, which is the aud of 1.0 tokens"),
    new Option('--json', 'print JSON'),
  ]
  for (const option of options) command.addOption(option.helpGroup(explainGroup))
  return command
}

/**
 * Prints what the configured hub answers to a token, and why. Exit code 1: it refuses.
 * @throws HubError `configuration_invalid`
 */
export async function explainToken(argument: string, options: ExplainOptions): Promise<void> {
  const token = (await readTextArgument('--explain', argument)).trim()
  const flags = options.config === undefined ? noFlags : { ...noFlags, file: options.config }
  const { config, file, sources } = await loadConfig({ flags })
  const { createJudge } = await import('../parts.ts')
  const ask = await createJudge(config, createLog({ format: 'text', debug: false })).catch(error => {
    throw locate(error, sources)
  })
  const origin = options.url === undefined ? originOf(config) : readHubUrl(options.url).origin
  const explanation = await askFor(
    ask,
    { token, topics: options.topic, matchers: matchersOf(options), origin },
    options,
  )
  const text = options.json === true ? `${JSON.stringify(explanation, null, 2)}\n` : asText(explanation, file)
  await writeOut(process.stdout, [text])
  if (!explanation.verdict[explanation.action].accepted) process.exitCode = 1
}

/** Nobody said what the token is for: what it grants says it. */
async function askFor(
  ask: (question: Question) => Promise<Explanation>,
  question: Omit<Question, 'action'>,
  { action }: ExplainOptions,
): Promise<Explanation> {
  const { matchers = [] } = question
  const explanation = await ask({ ...question, action: action ?? (matchers.length > 0 ? 'subscribe' : 'publish') })
  const { grants } = explanation
  const isForSubscribing =
    action === undefined && grants !== null && grants.publish === null && grants.subscribe !== null
  return isForSubscribing ? await ask({ ...question, action: 'subscribe' }) : explanation
}

const matchersOf = ({ match, matchUrlpattern }: ExplainOptions): Question['matchers'] => [
  ...match.map(pattern => ({ kind: 'exact' as const, pattern })),
  ...matchUrlpattern.map(pattern => ({ kind: 'urlpattern' as const, pattern })),
]

/** Where a client on this machine finds the hub, unless the configuration names its origin. */
function originOf({ publicOrigins: [first], listen, tls }: Config): string {
  if (first !== undefined) return first
  const host = isEveryInterface(listen.host) ? 'localhost' : listen.host
  return new URL(`${tls === null ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${listen.port}`)
    .origin
}

const purposes = { publish: 'publishing', subscribe: 'subscribing', subscriptions: 'reading subscriptions' } as const

/** The verdict, the rules with their marks, and what is in the token. */
function asText(explanation: Explanation, file: string | null): string {
  const { action, checks, verdict, privateUpdates, header, claims } = explanation
  const { accepted, status, code } = verdict[action]
  const title = accepted ? `Accepted for ${purposes[action]}.` : `Refused for ${purposes[action]}: ${status} ${code}`
  const others = Object.entries(verdict)
    .filter(([other]) => other !== action)
    .map(
      ([other, { accepted, status, code }]) =>
        `${purposes[other as Question['action']]}: ${accepted ? 'accepted' : `${status} ${code}`}`,
    )
  return [
    styleText(['bold', accepted ? 'green' : 'red'], title),
    '',
    ...checks.flatMap(({ check, ok, says, mend }) => [
      ...entry(ok ? styleText('green', '✓') : styleText('red', '✗'), check, says),
      ...(mend === null ? [] : entry(' ', '', `→ ${mend}`)),
    ]),
    ...privateUpdates.flatMap(({ topic, delivered }) =>
      entry(
        ' ',
        'private',
        `Private updates of ${topic} are ${delivered ? '' : 'not '}delivered: the token ${delivered ? 'grants' : 'does not grant'} subscribing to it.`,
      ),
    ),
    '',
    ...(header === null ? [] : [`Header  ${printable(JSON.stringify(header))}`]),
    ...(claims === null ? [] : [`Claims  ${JSON.stringify(claims, null, 2).split('\n').map(printable).join('\n')}`]),
    `Otherwise: ${others.join('; ')}.`,
    `Asked: the configuration ${file === null ? 'of the environment' : `in ${file}`}.`,
    '',
  ].join('\n')
}

const columnWidth = 14

function entry(mark: string, name: string, sentence: string): string[] {
  const [first = '', ...more] = wrap(printable(sentence), Math.max(40, lineWidth() - columnWidth))
  return [`${mark} ${name.padEnd(columnWidth - 2)}${first}`, ...more.map(line => ' '.repeat(columnWidth) + line)]
}
