import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { load } from '../support/configuration.ts'

const secret = 'jwt_key: a-secret-of-more-than-32-bytes-for-hs256'

/** What is warned of; null: nothing. */
const warned: readonly [what: string, yaml: string, warning: RegExp | null][] = [
  ['a good secret', secret, null],
  [
    'the known secret',
    'jwt_key: "!ChangeThisMercureHubJWTSecretKey!"',
    /^the key of 0\.x tokens is the one of the documentation: EVERYBODY can sign tokens/,
  ],
  ['the old known secret', 'jwt_key: "!ChangeMe!"', /^the key of 0\.x tokens is the one of the documentation/],
  [
    'a known secret of one role',
    `${secret}\npublisher_jwt_key: "!ChangeMe!"`,
    /^the publisher key of 0\.x tokens is the one of the documentation/,
  ],
  [
    'the known secret for everything',
    'jwt_key: "!ChangeMe!"\npublisher_jwt_key: "!ChangeMe!"\njwt_algorithm: HS512\npublisher_jwt_algorithm: HS256\npublic_urls: [https://h.example]\nissuers: [{id: a, publisher: {key: "!ChangeMe!"}}, {id: b, publisher: {key: "!ChangeMe!"}, subscriber: {key: "!ChangeMe!"}}]',
    /^the publisher key of 0\.x tokens and the subscriber key of 0\.x tokens and the publisher key of tokens of a and the key of tokens of b is the one of the documentation/,
  ],
  ['a short secret', 'jwt_key: test', /^the key of 0\.x tokens has 4 bytes, HS256 wants 32 random ones/],
  ['a short secret in a JWK', `jwt_key: '{"kty":"oct","k":"dGVzdA"}'`, /^the key of 0\.x tokens has 4 bytes/],
  ['a secret too short for its algorithm', `${secret}\njwt_algorithm: HS512`, /has 40 bytes, HS512 wants 64/],
  [
    'a JWK Set over http',
    `${secret}\npublisher_jwks_url: http://a.example/jwks`,
    /^the publisher key of 0\.x tokens comes from a\.example over plain http/,
  ],
  ['a JWK Set on this machine', `${secret}\npublisher_jwks_url: http://localhost/jwks`, null],
  ['publishing from everywhere', `${secret}\npublish_allowed_origins: "*"`, /^publish_allowed_origins holds "\*"/],
  [
    'publishing from every host',
    `${secret}\npublish_allowed_origins: "https://*"`,
    /^publish_allowed_origins holds "https:\/\/\*": any page on the web can publish/,
  ],
  [
    'publishing from sandboxed frames',
    `${secret}\npublish_allowed_origins: "null https://a.example"`,
    /^publish_allowed_origins holds "null": any page on the web, by a sandboxed iframe, can publish/,
  ],
  [
    'reading from sandboxed frames',
    `${secret}\ncors_allowed_origins: "null"`,
    /^cors_allowed_origins holds "null": any page on the web, by a sandboxed iframe, can read private updates/,
  ],
  [
    'every peer as a proxy',
    `${secret}\nuse_forwarded_headers: true\ntrusted_proxies: 0.0.0.0/0`,
    /^trusted_proxies holds "0\.0\.0\.0\/0": every client may say/,
  ],
  [
    'every peer of IPv6 as a proxy',
    `${secret}\nuse_forwarded_headers: true\ntrusted_proxies: [10.0.0.1, "::/0"]`,
    /^trusted_proxies holds "::\/0"/,
  ],
  ['proxies by name', `${secret}\nuse_forwarded_headers: true\ntrusted_proxies: 10.0.0.1`, null],
  [
    'proxies that are not listened to',
    `${secret}\ntrusted_proxies: 10.0.0.1`,
    /^trusted_proxies has no effect without use_forwarded_headers/,
  ],
  ['the usual proxies, written down', `${secret}\ntrusted_proxies: private_ranges`, null],
  [
    'a secret for operators who have no address',
    `${secret}\nadmin_secret: ${'s'.repeat(32)}`,
    /^admin_secret has no effect without admin_addr/,
  ],
  ['publishing from one site', `${secret}\npublish_allowed_origins: "https://*.example.com"`, null],
  ['reading from everywhere, without cookies', `${secret}\ncors_allowed_origins: "*"`, null],
  [
    'origins whose cookies * forbids',
    `${secret}\ncors_allowed_origins: "* https://a.example"`,
    /^cors_allowed_origins holds "\*" beside other origins: with "\*" no page may send cookies/,
  ],
  [
    'reading with cookies from every host',
    `${secret}\ncors_allowed_origins: "https://*"`,
    /^cors_allowed_origins holds "https:\/\/\*": any page on the web can read private updates with the cookie/,
  ],
  ['anonymous subscribers beside others', `${secret}\nallow_anonymous: true\nsubscriptions: true`, null],
  [
    'anonymous subscribers alone',
    'publisher_jwt_key: a-secret-of-more-than-32-bytes-for-hs256\nallow_anonymous: true',
    /^allow_anonymous is on and no subscriber can be verified: private updates reach nobody/,
  ],
  ['heartbeats that proxies hear', `${secret}\nheartbeat_interval: 59s`, null],
  [
    'heartbeats that come when proxies have gone',
    `${secret}\nheartbeat_interval: 1m`,
    /^heartbeat_interval: a heartbeat every 1m; many proxies/,
  ],
  ['no heartbeats', `${secret}\nheartbeat_interval: 0s`, /^heartbeat_interval: no heartbeat; many proxies/],
  ['a license', `${secret}\nlicense: mine`, /^license is not needed: every transport is free\.$/],
  ['the format of Fluentd', `${secret}\nlog_format: FLUENTD`, /^log_format FLUENTD is taken as JSON\.$/],
  [
    'issuers that are not used',
    `${secret}\nprotocol: 0.x\nissuers: [{id: a, publisher: {key: x}}]`,
    /^issuers are not used: protocol is 0\.x\.$/,
  ],
  [
    'an unpinned audience',
    `${secret}\nissuers: [{id: a, publisher: {jwks_uri: "https://a.example"}}]`,
    /^issuers are set, but neither resource_identifier nor public_urls/,
  ],
  [
    'an audience without TLS',
    `${secret}\nresource_identifier: http://hub.example\nissuers: [{id: a, publisher: {jwks_uri: "https://a.example"}}]`,
    /^resource_identifier is not an https URL/,
  ],
  [
    'keys that are not used',
    'jwt_key: short\nprotocol: "1.0"\nresource_identifier: https://hub.example\nissuers: [{id: a, publisher: {jwks_uri: "https://a.example"}, subscriber: {jwks_uri: "https://a.example"}}]',
    /^the keys of 0\.x tokens .* are not used: protocol is 1\.0\.$/,
  ],
]

describe('a configuration is accepted', () => {
  for (const [what, yaml, warning] of warned) {
    test(`${warning === null ? 'without' : 'with a'} warning: ${what}`, async () => {
      const { warnings } = await load({ yaml })
      assert.equal(warnings.length, warning === null ? 0 : 1, warnings.join('\n'))
      if (warning !== null) assert.match(warnings[0]!, warning)
      assert.doesNotMatch(warnings.join(), /Change/)
    })
  }

  test('with two warnings: a list of subscribers that everybody may read, where none can be verified', async () => {
    const { warnings } = await load({
      yaml: 'publisher_jwt_key: a-secret-of-more-than-32-bytes-for-hs256\nallow_anonymous: true\nsubscriptions: true',
    })
    assert.equal(warnings.length, 2)
    assert.match(warnings[1]!, /^subscriptions is on and no subscriber can be verified: everybody may read/)
  })

  test('with a warning of each key that is known, and of each once', async () => {
    const { warnings } = await load({
      yaml: 'publisher_jwt_key: "!ChangeMe!"\nsubscriber_jwt_key: "!ChangeThisMercureHubJWTSecretKey!"',
    })
    assert.deepEqual(
      warnings.map(warning => warning.split(' is ')[0]),
      ['the publisher key of 0.x tokens', 'the subscriber key of 0.x tokens'],
    )
  })
})
