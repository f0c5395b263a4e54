import { SignJWT } from 'jose'

/** The key of test hubs, for both roles, unless a test sets others. */
export const testKey = 'a-key-for-tests-that-is-32-bytes-long'

/** A 0.x token signed with the key of test hubs. */
export const signToken = (claims: Record<string, unknown>, key: string = testKey): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(key))

export const publisherToken = (...topics: string[]): Promise<string> =>
  signToken({ mercure: { publish: topics.length === 0 ? ['*'] : topics } })

export const subscriberToken = (topics: string[], payload?: unknown): Promise<string> =>
  signToken({ mercure: { subscribe: topics, payload } })

/** The issuer of 1.0 tokens in tests: pass it as `issuers: [testIssuer]`. */
export const testIssuer = {
  id: 'https://issuer.example',
  publisher: { key: testKey, algorithm: 'HS256' },
  subscriber: { key: testKey, algorithm: 'HS256' },
}

interface Detail {
  actions: string[]
  topics: { match: string; match_type?: string }[]
  payload?: unknown
}

/** A 1.0 access token for a hub, with these authorization details; `claims` adds and replaces. */
export const signAccessToken = (
  hubUrl: string,
  details: Detail[],
  claims: Record<string, unknown> = {},
): Promise<string> =>
  new SignJWT({
    iss: testIssuer.id,
    sub: 'tester',
    client_id: 'tests',
    aud: hubUrl,
    exp: Math.floor(Date.now() / 1000) + 3600,
    iat: Math.floor(Date.now() / 1000),
    jti: crypto.randomUUID(),
    authorization_details: details.map(detail => ({ type: 'https://mercure.rocks/authorization-detail', ...detail })),
    ...claims,
  })
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
    .sign(new TextEncoder().encode(testKey))
