import { Command, Option } from 'commander'
import { HubError } from '../errors.ts'
import { readToken } from './client/hub-options.ts'
import { request } from './client/request.ts'
import { examples } from './examples.ts'

interface RevokeOptions {
  readonly subject?: string
  readonly tokenId?: string
  readonly subscription?: string
  readonly until?: string
  readonly adminUrl?: string
  readonly adminSecret?: string
}

/** `talaria revoke`: closes streams at every node of a hub, and has their tokens refused. */
export function revokeCommand(): Command {
  const command = new Command('revoke')
    .description('Revoke tokens: a hub closes their streams, and refuses them.')
    .option('--subject <sub>', 'the tokens of this sub that were issued up to now')
    .option('--token-id <jti>', 'the token with this jti')
    .option('--subscription <id>', 'the token of a subscriber, by the id of it or of one of its subscriptions')
    .option('--until <time>', 'when the last of these tokens has expired: 2030-01-31T12:00:00Z, or seconds since 1970')
    .addOption(new Option('--admin-url <url>', 'the admin_addr of a node, as URL').env('MERCURE_ADMIN_URL'))
    .addOption(
      new Option('--admin-secret <secret>', 'its admin_secret; @FILE reads it from a file, @- from standard input').env(
        'MERCURE_ADMIN_SECRET',
      ),
    )
  return command
    .addHelpText(
      'after',
      examples(
        'talaria revoke --subject ada --admin-url http://127.0.0.1:9765 --admin-secret @secret.txt',
        'talaria revoke --token-id 01a1ffb6 --until 2030-01-31T12:00:00Z',
      ),
    )
    .action(async (options: RevokeOptions) => {
      const url = readAdminUrl(options.adminUrl)
      const isFlag = command.getOptionValueSource('adminSecret') === 'cli'
      const token = await readToken(isFlag ? '--admin-secret' : 'MERCURE_ADMIN_SECRET', options.adminSecret)
      if (token === undefined) throw invalid('Which secret? Give it with --admin-secret or MERCURE_ADMIN_SECRET')
      const headers = { 'Content-Type': 'application/json' }
      const response = await request(
        { url, token },
        { method: 'POST', headers, body: JSON.stringify(readOrder(options)) },
      )
      const text = (await response.text()).trim()
      process.stdout.write(`${text}\n`)
      if (response.status === 202) process.stderr.write(`warning: ${JSON.parse(text).warning}\n`)
    })
}

function readAdminUrl(text: string | undefined): URL {
  if (text === undefined || text === '')
    throw invalid('Which hub? Give its address with --admin-url or MERCURE_ADMIN_URL')
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw invalid(`${JSON.stringify(text)} is no URL: write http://127.0.0.1:9765, for example`)
  }
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/revocations`
  return url
}

function readOrder({ subject, tokenId, subscription, until }: RevokeOptions): object {
  const named = Object.entries({ subject, token_id: tokenId, subscription }).filter(([, value]) => value !== undefined)
  if (named.length !== 1) throw invalid('Revoke what? Give one of --subject, --token-id and --subscription')
  const isNumber = until !== undefined && /^\d+(\.\d+)?$/.test(until)
  return { ...Object.fromEntries(named), ...(until !== undefined && { until: isNumber ? Number(until) : until }) }
}

const invalid = (sentence: string): HubError => new HubError('configuration_invalid', `${sentence}.`)
