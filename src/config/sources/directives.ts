import { resolve } from 'node:path'
import { HubError } from '../../errors.ts'
import { invalid } from '../invalid.ts'
import { didYouMean } from '../nearest.ts'
import { CaddyfileError, type Directive, expandPlaceholders, parseCaddyfile } from './caddyfile.ts'

/** What the `mercure` block of a Caddyfile says, under the keys of this hub; the values are checked with all others. */
export interface Directives {
  /** Value and line of each key. */
  readonly settings: ReadonlyMap<string, { readonly value: unknown; readonly line: number }>
  readonly problems: readonly { readonly line: number; readonly message: string }[]
  readonly warnings: readonly string[]
  /** `protocol_version_compatibility` is there: 0.x tokens are wanted beside those of issuers. */
  readonly compatible: boolean
  /** The line of `playground`; `undefined`: it is not there. */
  readonly playground: number | undefined
}

export interface DirectiveContext {
  /** For `{env.NAME}` and `{$NAME}`. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where relative file names start. */
  readonly cwd: string
}

/**
 * Reads the lines of `MERCURE_EXTRA_DIRECTIVES`: the directives of the reference hub's Caddy module, of either generation; a whole `mercure`
 * block says what is in it.
 */
export function readDirectives(text: string, context: DirectiveContext): Directives {
  const settings = new Map<string, { value: unknown; line: number }>()
  const problems: { line: number; message: string }[] = []
  const warnings: string[] = []
  const attempt = (line: number, prefix: string, action: () => void) => {
    try {
      action()
    } catch (error) {
      if (!(error instanceof HubError)) throw error
      problems.push({ line: error instanceof CaddyfileError ? error.line : line, message: `${prefix}${error.message}` })
    }
  }
  let directives: readonly Directive[] = []
  attempt(1, '', () => {
    directives = unwrap(expandPlaceholders(parseCaddyfile(text), context.env))
  })
  // `playground` gives what nothing else says, wherever it stands.
  for (const directive of directives.toSorted(
    (a, b) => Number(b.name === 'playground') - Number(a.name === 'playground'),
  )) {
    const { name, line } = directive
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
    const several = isJoined(directive)
    if (rule === undefined || several) {
      problems.push({ line, message: several ? oneToALine : unknownName(name) })
      continue
    }
    attempt(line, `${name}: `, () => {
      const outcome = rule(directive, context)
      if (typeof outcome === 'string') {
        warnings.push(`MERCURE_EXTRA_DIRECTIVES, line ${line}: ${name} ${outcome}`)
        return
      }
      for (const [key, value] of Object.entries(outcome)) {
        const before = key === 'issuers' ? ((settings.get(key)?.value ?? []) as unknown[]) : []
        settings.set(key, { value: key === 'issuers' ? [...before, value] : value, line })
      }
    })
  }
  return {
    settings,
    problems,
    warnings,
    compatible: directives.some(({ name }) => name === 'protocol_version_compatibility'),
    playground: directives.find(({ name }) => name === 'playground')?.line,
  }
}

/** The directives of a `mercure` block in the place of the block. */
const unwrap = (directives: readonly Directive[]): readonly Directive[] =>
  directives.flatMap(directive => {
    const { name, args, block, line } = directive
    if (name !== 'mercure') return directive
    if (args.length > 0) throw new CaddyfileError(line, 'mercure: takes nothing but a block of directives.')
    // The block of the reference's own Caddyfile ends with what is being read here.
    return (block ?? []).filter(({ name }) => name !== '{$MERCURE_EXTRA_DIRECTIVES}')
  })

const oneToALine = 'directives stand on lines of their own, without ";", "," or "\\" between them.'

/** What looks like several directives on a line: one behind a mark, or behind the two characters `\n`. */
function isJoined({ name, args }: Directive): boolean {
  const [first = '', ...rest] = name.split(/[;,\\]/)
  if (rest.length > 0) return isDirective(first)
  return args.some(
    (arg, at) =>
      (/[;,\\]$/.test(args[at - 1] ?? '') && isDirective(arg)) || arg.split('\\n').slice(1).some(isDirective),
  )
}

const unknownName = (name: string): string =>
  isName(name) ? `there is no directive "${name}".${didYouMean(name, Object.keys(rules))}` : 'this is no directive.'

const isDirective = (word: string): boolean => Object.hasOwn(rules, word)

/** What a directive sets, or a warning to follow its name. `issuers` adds to the list. */
type Rule = (directive: Directive, context: DirectiveContext) => Readonly<Record<string, unknown>> | string

const turnsOn =
  (key: string): Rule =>
  directive => {
    requireNoValue(directive)
    return { [key]: true }
  }
const sets =
  (key: string): Rule =>
  directive => ({ [key]: oneValue(directive) })
const lists =
  (key: string): Rule =>
  directive => {
    if (directive.args.length === 0) throw invalid('takes one value or more.')
    for (const arg of directive.args) requireValue(arg, directive)
    return { [key]: directive.args }
  }
const says =
  (warning: string): Rule =>
  () =>
    warning

/** For development: everybody may do everything. */
export const playground: Readonly<Record<string, unknown>> = {
  demo: true,
  allow_anonymous: true,
  subscriptions: true,
  cors_allowed_origins: ['*'],
  publish_allowed_origins: ['*'],
}

const boundedCache = says('has no effect: the caches of this hub have bounds of their own.')

const rules: Readonly<Record<string, Rule>> = {
  anonymous: turnsOn('allow_anonymous'),
  subscriptions: turnsOn('subscriptions'),
  demo: turnsOn('demo'),
  playground: directive => {
    requireNoValue(directive)
    return playground
  },
  ui: turnsOn('debugger'),
  debugger: turnsOn('debugger'),
  heartbeat: sets('heartbeat_interval'),
  write_timeout: sets('write_timeout'),
  dispatch_timeout: sets('dispatch_timeout'),
  max_request_body_size: sets('max_request_body_size'),
  cookie_name: sets('cookie_name'),
  resource_identifier: sets('resource_identifier'),
  transport_url: sets('transport_url'),
  transport: (directive, { cwd }) => ({ transport_url: readTransport(directive, cwd) }),
  publisher_jwks_url: sets('publisher_jwks_url'),
  subscriber_jwks_url: sets('subscriber_jwks_url'),
  publisher_jwt: directive => prefixed('publisher_jwt_', readKey(directive)),
  subscriber_jwt: directive => prefixed('subscriber_jwt_', readKey(directive)),
  issuer: directive => ({ issuers: readIssuer(directive) }),
  cors_origins: lists('cors_allowed_origins'),
  publish_origins: lists('publish_allowed_origins'),
  public_urls: lists('public_urls'),
  protocol_version_compatibility: readCompatibility,
  name: says('has no effect: there is one hub in a process.'),
  topic_matcher_cache: boundedCache,
  topic_selector_cache: boundedCache,
  subscriber_list_cache_size: boundedCache,
}

/** 0.x is spoken anyhow. */
function readCompatibility(directive: Directive): ReturnType<Rule> {
  const level = oneValue(directive)
  if (level === '8') return {}
  if (level === '7') return 'of 7 is taken as 8: publishers need a grant for every topic, of public updates, too.'
  throw invalid('takes 7 or 8.')
}

function readIssuer(directive: Directive): object {
  const issuer: Record<string, unknown> = { id: oneValue(directive) }
  for (const part of directive.block ?? []) {
    if (part.name === 'authorization_server') issuer.authorization_server = true
    else if (part.name === 'publisher' || part.name === 'subscriber') issuer[part.name] = readRole(part)
    else throw notIn(part, ['authorization_server', 'publisher', 'subscriber'])
  }
  return issuer
}

function readRole({ name, args, block }: Directive): object {
  if (args.length > 0) throw invalid(`nothing can follow "${name}" but "{" and a block, with "jwt KEY ALGORITHM".`)
  const role: Record<string, unknown> = {}
  for (const part of block ?? []) {
    if (part.name === 'jwt') Object.assign(role, readKey(part))
    else if (part.name === 'jwks_uri') {
      const [url = '', ...algorithms] = part.args
      requireValue(url, part)
      Object.assign(role, { jwks_uri: url, algorithms })
    } else throw notIn(part, ['jwt', 'jwks_uri'])
  }
  return role
}

/** `<key> [algorithm]`; the key may be `{file./path}`. */
function readKey(directive: Directive): Readonly<Record<string, string>> {
  const [key, algorithm, ...rest] = directive.args
  if (key === undefined || rest.length > 0) throw invalid('takes a key, in quotes if it has spaces, and an algorithm.')
  requireValue(key, directive)
  const file = /^\{file\.(.+)\}$/.exec(key)?.[1]
  return { ...(file === undefined ? { key } : { key_file: file }), ...(algorithm !== undefined && { algorithm }) }
}

const prefixed = (prefix: string, values: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [prefix + key, value]))

/** `transport bolt { … }` as a URL. */
function readTransport({ args, block }: Directive, cwd: string): string {
  const [name = '', ...rest] = args
  if (name !== 'bolt' && name !== 'local')
    throw invalid(
      'only bolt and local can be written as a block; set MERCURE_TRANSPORT_URL, like redis://host:6379/stream.',
    )
  if (rest.length > 0) {
    throw invalid(
      `nothing can follow "${name}" but "{" and a block, with lines such as "path updates.db", "size 1000".`,
    )
  }
  if (name === 'local') {
    if (block !== null && block.length > 0) throw invalid('local has no options here; set MERCURE_TRANSPORT_URL.')
    return 'local://local'
  }
  const options = new Map((block ?? []).map(option => [option.name, oneValue(option, `${option.name} `)]))
  const path = options.get('path') ?? 'mercure.db'
  options.delete('path')
  const query = new URLSearchParams([...options]).toString()
  // A URL cannot hold a relative path with directories: the first would be its host.
  return `bolt://${path.includes('/') ? encodeURI(resolve(cwd, path)) : path}${query === '' ? '' : `?${query}`}`
}

function requireNoValue({ args: [first] }: Directive): void {
  if (first !== undefined) throw invalid(isDirective(first) ? oneToALine : 'takes no value: it is on when it is there.')
}

function oneValue(directive: Directive, subject = ''): string {
  const { args } = directive
  if (args.slice(1).some(isDirective)) throw invalid(oneToALine)
  if (args.length !== 1) throw invalid(`${subject}takes one value, not ${args.length}.`)
  requireValue(args[0]!, directive)
  return args[0]!
}

function requireValue(arg: string, { line, unset }: Directive): void {
  if (arg !== '' || unset.length === 0) return
  const names = unset.length === 1 ? `variable ${unset[0]} is` : `variables ${unset.join(', ')} are`
  throw new CaddyfileError(
    line,
    `the ${names} not set: set what is needed, or write {$${unset[0]}:VALUE} for a default.`,
  )
}

const notIn = ({ line, name }: Directive, known: readonly string[]): HubError =>
  new CaddyfileError(
    line,
    `${isName(name) ? `there is no "${name}" in this block` : 'this does not belong in this block'}; there are ${known.join(', ')}.${didYouMean(name, known)}`,
  )

/** What is no name may be a part of a key that lacks its quotes. */
const isName = (text: string): boolean => /^[a-z_]{1,40}$/i.test(text)
