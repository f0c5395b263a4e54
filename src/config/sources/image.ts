import { nearest } from '../nearest.ts'
import type { Problem } from '../problem.ts'
import { playground, readDirectives } from './directives.ts'
import type { Layer } from './layer.ts'
import { readSiteDirectives } from './site-directives.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** What the environment variables of the reference hub's Docker image say, of either generation. */
export interface Image {
  /** The variables, and over them the directives of `MERCURE_EXTRA_DIRECTIVES`. */
  readonly layers: readonly Layer[]
  readonly problems: readonly Problem[]
  readonly warnings: readonly string[]
}

/** Variables that hold one key's value; those of files are this hub's own. */
const ofOneKey: Readonly<Record<string, string>> = {
  MERCURE_PUBLISHER_JWT_KEY: 'publisher_jwt_key',
  MERCURE_PUBLISHER_JWT_KEY_FILE: 'publisher_jwt_key_file',
  MERCURE_PUBLISHER_JWT_ALG: 'publisher_jwt_algorithm',
  MERCURE_SUBSCRIBER_JWT_KEY: 'subscriber_jwt_key',
  MERCURE_SUBSCRIBER_JWT_KEY_FILE: 'subscriber_jwt_key_file',
  MERCURE_SUBSCRIBER_JWT_ALG: 'subscriber_jwt_algorithm',
  MERCURE_TRANSPORT_URL: 'transport_url',
  MERCURE_TRANSPORT_URL_FILE: 'transport_url_file',
  MERCURE_LICENSE: 'license',
}
const known = [...Object.keys(ofOneKey), 'MERCURE_TRUSTED_ISSUERS', 'MERCURE_EXTRA_DIRECTIVES']
/** Images built on Caddy's say which it is by CADDY_VERSION. */
const ofCaddy = /^(GLOBAL_OPTIONS|FRANKENPHP_CONFIG|CADDY_(?!VERSION$|SERVER_EXTRA_DIRECTIVES$)\w+)$/

/** Over plain HTTP browsers refuse what is called `__Secure-…`. */
const playgroundCookie = 'mercure_access_token'

/**
 * Reads the image's variables. Its keys are those of 0.x tokens, as in the 0.x image. `MERCURE_TRUSTED_ISSUERS` makes them the keys of
 * these issuers instead, as in the 1.0 image: 0.x tokens are then accepted only with `protocol_version_compatibility` among the directives.
 * @param isPlayground what the directive `playground` says comes before all of them
 */
export function readImage(env: Environment, cwd: string, isPlayground = false): Image {
  const settings = new Map<string, { value: unknown; where: string }>()
  for (const [variable, key] of Object.entries(ofOneKey)) {
    if (env[variable]) settings.set(key, { value: env[variable], where: `environment variable ${variable}` })
  }
  if (env.SERVER_NAME) settings.set('addr', { value: portOf(env.SERVER_NAME), where: serverName })

  const site = readSiteDirectives(env.CADDY_SERVER_EXTRA_DIRECTIVES ?? '', env)
  for (const [key, value] of site.settings) settings.set(key, { value, where: siteDirectives })

  const directives = readDirectives(env.MERCURE_EXTRA_DIRECTIVES ?? '', { env, cwd })
  const lineOf = (line: number) => `environment variable MERCURE_EXTRA_DIRECTIVES, line ${line}`
  const directed = new Map(
    [...directives.settings].map(([key, { value, line }]) => [key, { value, where: lineOf(line) }]),
  )

  const trusted = (env.MERCURE_TRUSTED_ISSUERS ?? '').split(/[\s,]+/).filter(id => id !== '')
  if (trusted.length > 0) {
    const roles = { ...readRole(env, 'PUBLISHER'), ...readRole(env, 'SUBSCRIBER') }
    const issuers = [...trusted.map(id => ({ id, ...roles })), ...((directed.get('issuers')?.value ?? []) as object[])]
    directed.set('issuers', { value: issuers, where: 'environment variable MERCURE_TRUSTED_ISSUERS' })
    if (!directives.compatible) {
      for (const key of keysOfTokens) settings.delete(key)
      const { playground: line } = directives
      if (line !== undefined && !directed.has('cookie_name'))
        directed.set('cookie_name', { value: playgroundCookie, where: lineOf(line) })
    }
  }
  return {
    layers: [
      ...(isPlayground ? [{ values: playground, where: () => 'playground' }] : []),
      toLayer(settings),
      toLayer(directed),
    ],
    problems: directives.problems.map(({ line, message }) => ({ key: null, where: lineOf(line), message })),
    warnings: [...directives.warnings, ...site.warnings, ...warningsOf(env)],
  }
}

/** What a bare or an https `SERVER_NAME` asks for; the hub listens without TLS unless it has a certificate. */
export const serverName = 'environment variable SERVER_NAME'
const siteDirectives = 'environment variable CADDY_SERVER_EXTRA_DIRECTIVES'
export const asksForTls = (env: Environment): boolean => {
  const [, scheme, port] = siteAddress.exec(env.SERVER_NAME ?? '') ?? []
  return scheme === 'https' || (scheme === undefined && (port === undefined || port === '443' || port === 'https'))
}

/** A Caddy site address: `:80`, `localhost`, `http://hub.example:8080`. The first of several counts; the name is served whatever it is. */
function portOf(sites: string): string {
  const [, scheme, port] = siteAddress.exec(sites) ?? []
  if (port !== undefined) return `:${port}`
  return scheme === 'http' ? ':80' : '' // the default: it depends on whether there is a certificate
}
const siteAddress = /^\s*(?:(https?):\/\/)?(?:\[[^\]\s]*\]|[^\s,:/]*)(?::(\d+|https?\b))?/

const keysOfTokens = Object.values(ofOneKey).filter(key => key.includes('_jwt_'))

function readRole(env: Environment, role: 'PUBLISHER' | 'SUBSCRIBER'): object {
  const { [`MERCURE_${role}_JWT_KEY`]: key = '', [`MERCURE_${role}_JWT_KEY_FILE`]: file = '' } = env
  if (key === '' && file === '') return {}
  return { [role.toLowerCase()]: { key, key_file: file, algorithm: env[`MERCURE_${role}_JWT_ALG`] ?? '' } }
}

function toLayer(settings: ReadonlyMap<string, { value: unknown; where: string }>): Layer {
  return {
    values: Object.fromEntries([...settings].map(([key, { value }]) => [key, value])),
    where: path => settings.get(String(path[0]))?.where ?? '',
  }
}

function warningsOf(env: Environment): string[] {
  const caddy = Object.keys(env).filter(name => ofCaddy.test(name) && env[name])
  const ofNoUse = caddy.map(name => `${name} has no effect: this hub is not a part of Caddy.`)
  // Applications have variables with the same prefix (MERCURE_URL), so that only what looks like a slip is worth a word.
  const slips = Object.keys(env).flatMap(name => {
    if (!name.startsWith('MERCURE_') || known.includes(name) || !env[name]) return []
    const meant = nearest(name, known)
    return meant === undefined ? [] : [`${name} has no effect: there is no such variable. Did you mean "${meant}"?`]
  })
  return [...ofNoUse, ...slips]
}
