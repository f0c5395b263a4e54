import { type Command, Option } from 'commander'
import { HubError } from '../../errors.ts'
import { readTextArgument } from '../text-argument.ts'
import { mintToken } from '../token.ts'
import { readHubUrl } from './hub-url.ts'

/** A hub that is asked from here, and with which token. */
export interface RemoteHub {
  readonly url: URL
  readonly token: string | undefined
}

/** What `addHubOptions` adds, as commander reads it. */
export interface HubOptions {
  readonly url?: string
  readonly token?: string
  readonly dev?: boolean
}

/** Where the shipped `mercure.yaml` has it. */
const defaultUrl = 'http://127.0.0.1:3000'

/** Which hub, and with which token: by flags or by `MERCURE_URL` and `MERCURE_JWT`. */
export function addHubOptions(command: Command): Command {
  return command
    .addOption(urlOption(`the hub's URL; /.well-known/mercure is added to a bare host (default: ${defaultUrl})`))
    .addOption(tokenOption('token; @FILE reads it from a file, @- from standard input'))
    .option('--dev', 'the token of a development hub: made with the well-known secret, for every topic')
}

export const urlOption = (description: string): Option => new Option('--url <url>', description).env('MERCURE_URL')

export const tokenOption = (description: string): Option => new Option('--token <jwt>', description).env('MERCURE_JWT')

/** An empty variable says nothing. @throws HubError `configuration_invalid` */
export async function readHub(command: Command): Promise<RemoteHub> {
  const { url, token, dev = false } = command.opts<HubOptions>()
  const isFlag = command.getOptionValueSource('token') === 'cli'
  if (dev && isFlag) {
    throw new HubError('configuration_invalid', '--dev makes a token, and --token is one: give one of them.')
  }
  return {
    url: readHubUrl(url || defaultUrl),
    token: dev ? await mintDevelopmentToken() : await readToken(isFlag ? '--token' : 'MERCURE_JWT', token),
  }
}

/** Never shows the token. `undefined`: none. @throws HubError `configuration_invalid` */
export async function readToken(option: string, argument: string | undefined): Promise<string | undefined> {
  if (argument === undefined || argument === '') return undefined
  // As the header has it: `Authorization: Bearer …`.
  const token = (await readTextArgument(option, argument)).trim().replace(/^Bearer +/i, '')
  if (/^[\x21-\x7e]+$/.test(token)) return token
  throw new HubError('configuration_invalid', `${option} has characters that no token has.`)
}

async function mintDevelopmentToken(): Promise<string> {
  const nothing = { publish: [], publishUrlpattern: [], subscribe: [], subscribeUrlpattern: [] }
  const { token } = await mintToken({ generation: '0.x', dev: true, exp: false, ...nothing }, new Date())
  return token
}
