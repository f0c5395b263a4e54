import { HubError } from '../errors.ts'
import { type Algorithm, asymmetricAlgorithms, isAsymmetric } from '../protocol/algorithm.ts'
import type { Issuer, Roles } from './config.ts'
import type { Path, Report } from './problem.ts'
import type { RoleSettings, Settings } from './schema.ts'
import { keyVerifier, type Verifier } from './values/key.ts'

export const roles = ['publisher', 'subscriber'] as const
type Role = (typeof roles)[number]

/** The keys of 0.x tokens. A role's own key goes before `jwt_key`, and its own algorithm before `jwt_algorithm`. */
export const resolveKeys = (settings: Settings, report: Report): Roles => ({
  publisher: resolveKey('publisher', settings, report),
  subscriber: resolveKey('subscriber', settings, report),
})

function resolveKey(role: Role, settings: Settings, report: Report): Verifier | null {
  const own = settings[`${role}_jwt_key`]
  const ownName = `${role}_jwt_key` as const
  const ownAlgorithm = settings[`${role}_jwt_algorithm`]
  const jwksUrl = settings[`${role}_jwks_url`]
  if (jwksUrl !== null) {
    if (own !== null) report([`${role}_jwks_url`], `${given(settings, ownName)} is set, too: give one of the two.`)
    if (ownAlgorithm === null) return { jwksUrl, algorithms: asymmetricAlgorithms }
    if (isAsymmetric(ownAlgorithm)) return { jwksUrl, algorithms: [ownAlgorithm] }
    report([`${role}_jwt_algorithm`], `${ownAlgorithm} takes a secret, but ${role}_jwks_url gives public keys.`)
    return null
  }
  const key = own ?? settings.jwt_key
  if (key === null) return null
  const name = own === null ? 'jwt_key' : ownName
  const algorithmName =
    ownAlgorithm === null && (own === null || settings.jwt_algorithm !== null)
      ? 'jwt_algorithm'
      : `${role}_jwt_algorithm`
  const path = [given(settings, name)]
  return verifierOf(key, ownAlgorithm ?? settings.jwt_algorithm, algorithmName, message =>
    report(path, message, [algorithmName]),
  )
}

/** How the user gave a secret: as the key itself or as a file. */
const given = (settings: Settings, key: 'jwt_key' | `${Role}_jwt_key`): string =>
  settings[`${key}_file`] === null ? key : `${key}_file`

/** The issuers of 1.0 tokens. */
export function resolveIssuers(settings: Settings, report: Report): readonly Issuer[] {
  const seen = new Map<string, number>()
  return settings.issuers.map((issuer, at) => {
    const { id, authorization_server: authorizationServer } = issuer
    const first = seen.get(id)
    if (first !== undefined) report(['issuers', at, 'id'], `is the same as that of issuers[${first}]: join the two.`)
    else seen.set(id, at)
    if (issuer.publisher === undefined && issuer.subscriber === undefined) {
      report(
        ['issuers', at],
        'has neither publisher nor subscriber: its tokens would be good for nothing. Add at least one.',
      )
    }
    if (authorizationServer && !/^https?:$/.test(URL.parse(id)?.protocol ?? '')) {
      report(
        ['issuers', at, 'authorization_server'],
        'needs an id that is an https URL, where clients find the authorization server.',
      )
    }
    const resolveRole = (role: Role) => {
      const settings = issuer[role]
      return settings === undefined ? null : resolveIssuerRole(settings, ['issuers', at, role], report)
    }
    return { id, authorizationServer, publisher: resolveRole('publisher'), subscriber: resolveRole('subscriber') }
  })
}

function resolveIssuerRole(role: RoleSettings, path: Path, report: Report): Verifier | null {
  const { key, algorithm, jwks_uri: jwksUrl, algorithms } = role
  if (key !== null && jwksUrl !== null) report([...path, 'jwks_uri'], 'a key is given, too: give one of the two.')
  else if (jwksUrl !== null) {
    if (algorithm !== null)
      report([...path, 'algorithm'], 'belongs to a key; with jwks_uri write algorithms, as a list.')
    return { jwksUrl, algorithms: algorithms.length === 0 ? asymmetricAlgorithms : algorithms }
  } else if (key !== null) {
    if (algorithms.length > 0)
      report([...path, 'algorithms'], 'belongs to jwks_uri; with a key write algorithm, a single one.')
    const keyPath = [...path, role.key_file === null ? 'key' : 'key_file']
    return verifierOf(key, algorithm, 'algorithm', message => report(keyPath, message))
  } else report(path, 'needs key, key_file or jwks_uri.')
  return null
}

function verifierOf(
  key: string,
  algorithm: Algorithm | null,
  algorithmName: string,
  report: (message: string) => void,
): Verifier | null {
  try {
    return keyVerifier(key, algorithm, algorithmName)
  } catch (error) {
    if (!(error instanceof HubError)) throw error
    report(error.message)
    return null
  }
}
