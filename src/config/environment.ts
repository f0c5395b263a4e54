import { readDirectives } from './directives.ts'
import type { Layer } from './layer.ts'
import type { Problem } from './problem.ts'
import { keys } from './schema.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** What the environment says, the weaker source first: the variables of the reference hub's image, then those named like our keys. */
export interface EnvironmentLayers {
  readonly layers: readonly Layer[]
  readonly problems: readonly Problem[]
  readonly warnings: readonly string[]
}

/** Only a file can hold these: they are not single values. */
const onlyInFiles: ReadonlySet<string> = new Set(['recent', 'issuers'])

/** Variables of the image that hold one key's value. */
const imageVariables: Readonly<Record<string, string>> = {
  MERCURE_PUBLISHER_JWT_KEY: 'publisher_jwt_key',
  MERCURE_PUBLISHER_JWT_ALG: 'publisher_jwt_algorithm',
  MERCURE_SUBSCRIBER_JWT_KEY: 'subscriber_jwt_key',
  MERCURE_SUBSCRIBER_JWT_ALG: 'subscriber_jwt_algorithm',
  MERCURE_TRANSPORT_URL: 'transport_url',
  MERCURE_LICENSE: 'license',
}

/** Reads variables; an empty one is not set. */
export function readEnvironment(env: Environment, cwd: string): EnvironmentLayers {
  const own = new Map<string, string>()
  for (const key of keys) if (!onlyInFiles.has(key)) own.set(key.toUpperCase(), key)
  const image = readImage(env)
  const directives = readDirectives(env.MERCURE_EXTRA_DIRECTIVES ?? '', { env, cwd })
  const lineOf = (line: number) => `environment variable MERCURE_EXTRA_DIRECTIVES, line ${line}`
  return {
    layers: [
      image.layer,
      {
        values: Object.fromEntries([...directives.settings].map(([key, { value }]) => [key, value])),
        where: path => lineOf(directives.settings.get(String(path[0]))?.line ?? 1),
      },
      readVariables(env, own),
    ],
    problems: directives.problems.map(({ line, message }) => ({ key: null, where: lineOf(line), message })),
    warnings: [...image.warnings, ...directives.warnings],
  }
}

function readVariables(env: Environment, names: ReadonlyMap<string, string>): Layer {
  const values: Record<string, string> = {}
  const variables = new Map<string, string>()
  for (const [name, key] of names) {
    const value = env[name]
    if (value === undefined || value === '') continue
    values[key] = value
    variables.set(key, name)
  }
  return { values, where: path => `environment variable ${variables.get(String(path[0])) ?? ''}` }
}

function readImage(env: Environment): { layer: Layer; warnings: readonly string[] } {
  const plain = readVariables(env, new Map(Object.entries(imageVariables)))
  const values: Record<string, unknown> = { ...plain.values }
  const warnings: string[] = []
  const variables = new Map<string, string>()
  const issuer = env.MERCURE_TRUSTED_ISSUERS
  if (issuer !== undefined && issuer !== '') {
    values.issuers = [{ id: issuer, ...readRole(env, 'PUBLISHER'), ...readRole(env, 'SUBSCRIBER') }]
    variables.set('issuers', 'MERCURE_TRUSTED_ISSUERS')
  }
  const serverName = env.SERVER_NAME
  if (serverName !== undefined && serverName !== '') {
    const { addr, isPlain } = readServerName(serverName)
    values.addr = addr
    variables.set('addr', 'SERVER_NAME')
    if (!isPlain && (env.CERT_FILE ?? '') === '') {
      warnings.push(
        `SERVER_NAME asks for HTTPS, but this hub fetches no certificates: it listens on ${addr} without TLS. Set CERT_FILE and KEY_FILE, or put a proxy in front.`,
      )
    }
  }
  return {
    layer: {
      values,
      where: path => {
        const variable = variables.get(String(path[0]))
        return variable === undefined ? plain.where(path) : `environment variable ${variable}`
      },
    },
    warnings,
  }
}

/** The issuer of the image verifies with the same keys as 0.x does. */
function readRole(env: Environment, role: 'PUBLISHER' | 'SUBSCRIBER'): object {
  const key = env[`MERCURE_${role}_JWT_KEY`]
  if (key === undefined || key === '') return {}
  return { [role.toLowerCase()]: { key, algorithm: env[`MERCURE_${role}_JWT_ALG`] ?? '' } }
}

/** A Caddy site address: `:80`, `localhost`, `http://hub.example:8080`. The name is served whatever it is; the first of several counts. */
function readServerName(text: string): { addr: string; isPlain: boolean } {
  const [first = ''] = text.trim().split(/[\s,]+/)
  const [, scheme, port] = /^(?:(https?):\/\/)?[^:/]*(?::(\d+))?/.exec(first) ?? []
  const isPlain = scheme === 'http' || (scheme === undefined && port !== undefined && port !== '443')
  return { addr: `:${port ?? '80'}`, isPlain }
}
