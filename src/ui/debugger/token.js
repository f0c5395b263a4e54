import { describeCharacter } from './format.js'

/** The `type` of the authorization details (RFC 9396) that speak to a hub. */
const detailType = 'https://mercure.rocks/authorization-detail'

/** What of a pasted text is the token: mails and terminals break its lines, and it is copied with quotes and with the word before it. */
export const cleanToken = text =>
  text
    .replace(/^[\s"'`“‘]*(?:Authorization\s*:\s*)?["'`“‘]*Bearer\s+/i, '')
    .replace(/\s+/g, '')
    .replace(/^["'`“‘]+|(?<!["'`”’])["'`”’]+$/g, '')

/**
 * Reads a token without verifying it: whether its signature fits, the hub alone can tell.
 * @returns {{problem: string} | Decoded}
 * @typedef {{header: object, claims: object, headerText: string, claimsText: string, generation: '0.x' | '1.0',
 *   publish: Topic[] | null, subscribe: Topic[] | null,
 *   payloads: unknown[], expiresAt?: number, notBefore?: number}} Decoded
 * @typedef {{pattern: string, kind: 'topic' | 'exact' | 'urlpattern'}} Topic
 */
export function decodeToken(token) {
  const [foreign] = /[^\x21-\x7e]/u.exec(token) ?? []
  if (foreign !== undefined) {
    const of = 'a token is of letters, digits, “-” and “_”, with two dots'
    return { problem: `${describeCharacter(foreign)} is in it, which cannot be sent: ${of}.` }
  }
  const parts = token.split('.')
  if (parts.length === 5)
    return { problem: 'This token is encrypted (JWE): hubs read signed ones (JWS), with three parts.' }
  if (parts.length !== 3) {
    return { problem: `A token has three parts with dots between them, this has ${parts.length}. Is it copied whole?` }
  }
  let headerText
  let claimsText
  let header
  let claims
  try {
    headerText = decodePart(parts[0])
    header = readObject(headerText)
  } catch {
    return { problem: 'The first part, the header, is not base64url of a JSON object.' }
  }
  try {
    claimsText = decodePart(parts[1])
    claims = readObject(claimsText)
  } catch {
    return { problem: 'The second part, the claims, is not base64url of a JSON object.' }
  }
  const generation = /^(application\/)?at\+jwt$/i.test(String(header.typ ?? '')) ? '1.0' : '0.x'
  const grants = generation === '1.0' ? readDetails(claims) : readMercureClaim(claims)
  return {
    header,
    claims,
    headerText,
    claimsText,
    generation,
    ...grants,
    expiresAt: typeof claims.exp === 'number' ? claims.exp * 1000 : undefined,
    notBefore: typeof claims.nbf === 'number' ? claims.nbf * 1000 : undefined,
  }
}

function decodePart(part) {
  // What `atob` passes over, hubs refuse.
  if (!/^[\w-]+$/.test(part)) throw new TypeError('not base64url')
  const bytes = Uint8Array.from(atob(part.replaceAll('-', '+').replaceAll('_', '/')), character =>
    character.charCodeAt(0),
  )
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
}

function readObject(text) {
  const value = JSON.parse(text)
  if (!isObject(value)) throw new TypeError('not an object')
  return value
}

function readMercureClaim(claims) {
  const claim = claims['https://mercure.rocks/'] ?? claims.mercure
  const read = list =>
    Array.isArray(list)
      ? list.filter(one => typeof one === 'string').map(pattern => ({ pattern, kind: 'topic' }))
      : null
  if (!isObject(claim)) return { publish: null, subscribe: null, payloads: [] }
  return {
    publish: read(claim.publish),
    subscribe: read(claim.subscribe),
    payloads: claim.payload === undefined || claim.payload === null ? [] : [claim.payload],
  }
}

function readDetails(claims) {
  const all = Array.isArray(claims.authorization_details) ? claims.authorization_details : []
  const details = all.filter(detail => isObject(detail) && detail.type === detailType)
  const topicsOf = action => {
    const granting = details.filter(({ actions }) => Array.isArray(actions) && actions.includes(action))
    if (granting.length === 0) return null
    return granting
      .flatMap(({ topics }) => (Array.isArray(topics) ? topics : []))
      .flatMap(topic =>
        isObject(topic) && typeof topic.match === 'string'
          ? [{ pattern: topic.match, kind: topic.match_type === 'urlpattern' ? 'urlpattern' : 'exact' }]
          : [],
      )
  }
  return {
    publish: topicsOf('publish'),
    subscribe: topicsOf('subscribe'),
    payloads: details.map(({ payload }) => payload).filter(payload => payload !== undefined && payload !== null),
  }
}

const isObject = value => typeof value === 'object' && value !== null && !Array.isArray(value)
