import { Command, Option } from 'commander'
import { parseDuration } from '../config/values/duration.ts'
import { HubError } from '../errors.ts'
import { claimsOf, headerOf, signToken, type TokenContent, type TokenHeader } from '../http/tokens/mint.ts'
import { developmentSecret } from '../http/tokens/signing.ts'
import type { Generation } from '../protocol/generation.ts'
import { examples } from './examples.ts'
import { readSigningKey } from './signing-key.ts'
import { addExplainOptions, type ExplainOptions, explainGroup, explainToken } from './token-explanation.ts'

/** The options of `talaria token`, as commander reads them. */
export interface TokenOptions {
  readonly generation: Generation
  readonly dev?: boolean
  readonly key?: string
  readonly alg?: string
  readonly kid?: string
  readonly publish: readonly string[]
  readonly publishUrlpattern: readonly string[]
  readonly subscribe: readonly string[]
  readonly subscribeUrlpattern: readonly string[]
  readonly payload?: string
  readonly ttl?: string
  /** False: without an `exp`. */
  readonly exp: boolean
  readonly iss?: string
  readonly aud?: string
  readonly sub?: string
  readonly jti?: string
  readonly clientId?: string
}

export interface MintedToken {
  readonly token: string
  readonly header: TokenHeader
  readonly claims: ReturnType<typeof claimsOf>
}

const devIssuer = 'https://localhost'
const devAudience = 'https://localhost/.well-known/mercure'
const defaultTtl = '1h'
/** 2100-01-01, in seconds: a 1.0 token must expire some day. */
const devExpiry = 4_102_444_800

/** `talaria token`: prints a signed token, and nothing else, on standard output. */
export function tokenCommand(): Command {
  const repeatable = (flags: string, description: string) =>
    new Option(flags, `${description} (repeatable)`)
      .argParser((value, before: string[]) => [...before, value])
      .default([], 'none')
  const command = new Command('token')
    .description('Mint a token, for development and for trying a hub out.')
    .addOption(new Option('--generation <generation>', 'protocol of the token').choices(['0.x', '1.0']).default('0.x'))
    .option('--dev', 'key, grants and expiry for a development hub: the well-known secret, every topic, no expiry')
    .option('--key <key>', 'secret, PEM private key or JWK; @FILE reads it from a file, @- from standard input')
    .option('--alg <algorithm>', 'signature algorithm (default: HS256 for a secret, else what the key is for)')
    .option('--kid <id>', 'key id, for hubs that read a JWK Set')
    .addOption(repeatable('--publish <topic>', 'topic that may be published; * is every topic'))
    .addOption(repeatable('--publish-urlpattern <pattern>', 'the same as a URL Pattern; 1.0 only'))
    .addOption(repeatable('--subscribe <topic>', 'topic whose private updates are delivered; * is every topic'))
    .addOption(repeatable('--subscribe-urlpattern <pattern>', 'the same as a URL Pattern; 1.0 only'))
    .option('--payload <json>', 'payload shown in the subscriptions of the bearer')
    .option('--ttl <duration>', `time until the token expires, such as 15m (default: ${defaultTtl})`)
    .option('--no-exp', 'a token that does not expire; 0.x only')
    .option('--iss <issuer>', 'issuer; required in 1.0')
    .option('--aud <resource>', "the hub's resource identifier, usually its URL; required in 1.0")
    .option('--sub <subject>', 'subject')
    .option('--jti <id>', 'token id, by which it can be revoked alone (1.0 default: a random one)')
    .option('--client-id <id>', 'OAuth 2.0 client; 1.0 only')
    .option('--pretty', 'also print the decoded token, on standard error')
    .addHelpText(
      'after',
      examples(
        "talaria token --key @jwt.key --publish '*' --ttl 15m",
        'talaria token --explain @token.txt --topic https://example.com/books/1',
      ),
    )
  return addExplainOptions(command).action(async function (
    this: Command,
    options: TokenOptions & ExplainOptions & { pretty?: boolean },
  ) {
    const { writeOut, writeErr } = this.configureOutput()
    try {
      if (options.explain !== undefined) {
        refuseMinting(this)
        return await explainToken(options.explain, options)
      }
      const { token, header, claims } = await mintToken(options, new Date())
      if (options.pretty === true) writeErr?.(`${JSON.stringify({ header, claims }, null, 2)}\n`)
      writeOut?.(`${token}\n`)
    } catch (error) {
      if (error instanceof HubError) this.error(`error: ${error.message}`)
      throw error
    }
  })
}

/** What a token is to hold says nothing of one that is there. @throws HubError `configuration_invalid` */
function refuseMinting(command: Command): void {
  const given = command.options.find(
    option =>
      option.helpGroupHeading !== explainGroup && command.getOptionValueSource(option.attributeName()) === 'cli',
  )
  if (given === undefined) return
  const [topic] = [command.getOptionValue(given.attributeName())].flat()
  const action = /^--(publish|subscribe)$/.exec(given.long!)?.[1]
  throw invalid(
    `${given.long} is for minting a token, and --explain is given one: ${action === undefined ? 'leave it out' : `write --action ${action} --topic ${topic}`}`,
  )
}

function keyArgument({ key, dev }: TokenOptions): string {
  if (key !== undefined) return key
  if (dev === true) return developmentSecret
  throw invalid(
    '--key is missing: the secret or private key to sign with; --dev takes the well-known development secret',
  )
}

/** @throws HubError `configuration_invalid` for options that contradict each other and keys that cannot sign */
export async function mintToken(options: TokenOptions, now: Date): Promise<MintedToken> {
  const issuedAt = Math.floor(now.getTime() / 1000)
  const { generation } = options
  const content = generation === '0.x' ? content0x(options, issuedAt) : content1(options, issuedAt)
  const claims = claimsOf(generation, content)
  const { key, alg } = await readSigningKey(keyArgument(options), options.alg)
  const header = headerOf(generation, alg, options.kid)
  return { token: await signToken(header, claims, key), header, claims }
}

function content0x(options: TokenOptions, issuedAt: number): TokenContent {
  const { iss, aud, sub, jti } = options
  if (options.publishUrlpattern.length > 0 || options.subscribeUrlpattern.length > 0) {
    throw invalid(
      '0.x tokens have no URL Patterns: use --publish and --subscribe with a URI Template, or --generation 1.0',
    )
  }
  if (options.clientId !== undefined) throw invalid('--client-id is for --generation 1.0')
  return { ...grants(options), iss, aud, sub, jti, issuedAt, expiresAt: readExpiry(options, issuedAt) }
}

function content1(options: TokenOptions, issuedAt: number): TokenContent {
  const { dev, sub, jti, clientId } = options
  const iss = options.iss ?? (dev === true ? devIssuer : undefined)
  const aud = options.aud ?? (dev === true ? devAudience : undefined)
  if (iss === undefined) throw invalid('--iss is missing: the id of an issuer that the hub trusts')
  if (aud === undefined) {
    throw invalid(
      "--aud is missing: the hub's resource identifier, such as https://hub.example.com/.well-known/mercure",
    )
  }
  if (!options.exp) throw invalid('--no-exp: an access token of 1.0 must expire; use --ttl')
  const expiresAt = readExpiry(options, issuedAt) ?? devExpiry
  return { ...grants(options), iss, aud, sub, jti, clientId, issuedAt, expiresAt }
}

function grants(options: TokenOptions): Pick<TokenContent, 'publish' | 'subscribe' | 'payload'> {
  const asPattern = (match: string) => ({ match, match_type: 'urlpattern' }) as const
  const publish = [...options.publish, ...options.publishUrlpattern.map(asPattern)]
  const subscribe = [...options.subscribe, ...options.subscribeUrlpattern.map(asPattern)]
  if (publish.length + subscribe.length > 0) return { publish, subscribe, payload: readPayload(options, subscribe) }
  if (options.dev === true) return { publish: ['*'], subscribe: ['*'], payload: readPayload(options, ['*']) }
  throw invalid('the token would grant nothing: add --publish or --subscribe, with a topic or "*"')
}

function readPayload({ payload }: TokenOptions, subscribe: readonly unknown[]): unknown {
  if (payload === undefined) return undefined
  if (subscribe.length === 0) throw invalid('--payload is shown in subscriptions: it needs --subscribe')
  try {
    return JSON.parse(payload)
  } catch {
    throw invalid(`--payload is not JSON; in a shell: --payload '{"user": "ada"}'`)
  }
}

/** In seconds; `undefined`: the token does not expire. */
function readExpiry({ exp, ttl, dev }: TokenOptions, issuedAt: number): number | undefined {
  if (!exp && ttl !== undefined) throw invalid('--ttl and --no-exp exclude each other')
  if (!exp || (dev === true && ttl === undefined)) return undefined
  const seconds = Math.ceil(parseDuration(ttl ?? defaultTtl) / 1000)
  if (seconds === 0) {
    throw invalid('--ttl 0: the token would have expired already; for one that does not expire use --no-exp')
  }
  return issuedAt + seconds
}

const invalid = (rule: string, cause?: unknown): HubError =>
  new HubError('configuration_invalid', `${rule}.`, { cause })
