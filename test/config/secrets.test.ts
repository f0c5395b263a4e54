import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CommanderError } from 'commander'
import { explain } from '../../src/cli/explain.ts'
import type { Loaded } from '../../src/config/load.ts'
import { ConfigurationError } from '../../src/config/problem.ts'
import { type Given, load } from '../support/configuration.ts'
import { keyPair, pkcs8 } from '../support/keys.ts'

const mark = 'hunter2'
const secret = `${mark}-is-in-this-secret-of-more-than-32-bytes`

/** All that anybody is told of a configuration. */
async function say(given: Given): Promise<{ loaded: Loaded | undefined; text: string }> {
  try {
    const loaded = await load(given)
    const { warnings, sources, file, config } = loaded
    return { loaded, text: JSON.stringify({ warnings, sources, file, meaning: explain(config) }) }
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    return { loaded: undefined, text: `${error.message}${String(error.cause)}${JSON.stringify(error.problems)}` }
  }
}

const mustNotShow = (text: string, marks: readonly string[] = [mark]): void => {
  for (const one of marks) assert.ok(!text.toLowerCase().includes(one.toLowerCase()), text)
}

describe('what is accepted is explained without its secrets', () => {
  const accepted: readonly [name: string, yaml: string, env?: Record<string, string>][] = [
    ['one key', `jwt_key: ${secret}`],
    ['short ones', `publisher_jwt_key: ${mark}\nsubscriber_jwt_key: ${mark}!`],
    ['a JWK', `jwt_key: '{"kty":"oct","k":"${Buffer.from(secret).toString('base64url')}","kid":"${mark}"}'`],
    ['a key in quotes', `jwt_key: "${secret}"\nlicense: ${mark}`],
    ['keys of issuers', `issuers: [{id: https://i.example, publisher: {key: ${mark}}, subscriber: {key: ${secret}}}]`],
    ['a password of the transport', `jwt_key: ${secret}\ntransport_url: redis://user:${mark}@host/stream`],
    ['an option of the transport', `jwt_key: ${secret}\ntransport_url: kafka://host/t?sasl_password=${mark}`],
    ['the query of a JWK Set', `publisher_jwks_url: https://i.example/jwks?token=${mark}\nallow_anonymous: true`],
    ['a secret of operators', `jwt_key: ${secret}\nadmin_addr: :1\nadmin_secret: ${secret}`],
    ['variables', '', { JWT_KEY: secret, LICENSE: mark, TRANSPORT_URL: `postgres://u:${mark}@h/db` }],
    ['variables of the image', '', { MERCURE_PUBLISHER_JWT_KEY: secret, MERCURE_SUBSCRIBER_JWT_KEY: mark }],
    [
      'trusted issuers',
      '',
      {
        MERCURE_TRUSTED_ISSUERS: 'https://i.example',
        MERCURE_PUBLISHER_JWT_KEY: secret,
        MERCURE_SUBSCRIBER_JWT_KEY: mark,
        MERCURE_LICENSE: mark,
      },
    ],
    [
      'directives',
      '',
      {
        MERCURE_EXTRA_DIRECTIVES: `publisher_jwt "${secret}"\nsubscriber_jwt {env.KEY} HS512\nissuer https://i.example {\npublisher {\njwt {$KEY}\n}\n}`,
        KEY: secret,
      },
    ],
  ]
  for (const [name, yaml, env = {}] of accepted) {
    test(name, async () => {
      const { loaded, text } = await say({ yaml, env })
      assert.ok(loaded !== undefined, text)
      mustNotShow(text, [mark, Buffer.from(secret).toString('base64url')])
    })
  }
})

const pem = pkcs8(keyPair('ES256').privateKey)
const inside = pem.split('\n')[1]!

describe('what is refused is refused without showing secrets', () => {
  const refused: readonly [name: string, yaml: string, env?: Record<string, string>][] = [
    // YAML that went wrong around a secret
    ['no space after the colon', `jwt_key:${mark}`],
    ['no space in a flow mapping', `issuers: [{id: a, publisher: {key:${mark}}}]`],
    ['no space in a flow mapping, one level up', `{jwt_key:${mark}}`],
    ['a colon in it', `jwt_key: ${mark}: ${mark}`],
    ['an alias by mistake', `jwt_key: *${mark}`],
    ['a tag by mistake', `jwt_key: !${mark}`],
    ['a directive by mistake', `%${mark}`],
    ['a reserved sign', `jwt_key: @${mark}`],
    ['an open quote', `jwt_key: "${mark}`],
    ['characters after a quote', `jwt_key: "a"${mark}`],
    ['a bad escape', `jwt_key: "\\q${mark}"`],
    ['a bracket', `jwt_key: [${mark}`],
    ['a PEM without its block', `jwt_key:\n${pem}`],
    ['a PEM indented, without "|"', `jwt_key: ${pem.replaceAll('\n', '\n  ')}: x`],
    ['a PEM in a mapping', `publisher_jwt_key: |\n  ${pem.replaceAll('\n', '\n  ')}\nsubscriber_jwt_key: ${secret}`],
    ['two documents', `jwt_key: ${mark}\n---\njwt_key: ${mark}`],
    ['twice', `jwt_key: ${mark}\njwt_key: ${mark}2`],
    ['no mapping at all', mark],
    ['a list', `- ${mark}`],
    ['a key that is no name', `? {a: ${mark}}\n: b`],
    [
      'many anchors',
      `a: &a [${mark}]\nb: &b [${Array(200).fill('*a').join()}]\njwt_key: [${Array(200).fill('*b').join()}]`,
    ],
    // values of the wrong kind
    ['a list where a key belongs', `jwt_key: [${mark}]`],
    ['a mapping where a key belongs', `jwt_key: {${mark}: ${mark}}`],
    ['a mapping for an algorithm', `jwt_key: ${secret}\njwt_algorithm: {a: ${mark}}`],
    ['a secret for an algorithm', `jwt_key: ${secret}\njwt_algorithm: ${secret}`],
    ['a secret for algorithms', `issuers: [{id: a, publisher: {jwks_uri: https://a.example, algorithms: [${mark}]}}]`],
    ['a secret for a file', `jwt_key_file: ${mark}`],
    ['a secret for a certificate', `jwt_key: ${secret}\ncert_file: ${mark}\nkey_file: ${mark}`],
    ['a secret for a role', `issuers: [{id: a, publisher: ${mark}}]`],
    ['a secret for an issuer', `issuers: [${mark}]`],
    ['a secret for all issuers', `issuers: ${mark}`],
    ['a secret with the wrong algorithm', `jwt_key: ${secret}\njwt_algorithm: RS256`],
    ['a broken PEM', `jwt_key: "-----BEGIN PUBLIC KEY-----${mark}"`],
    ['a broken JWK', `jwt_key: '{"kty":"RSA","n":"${mark}"}'\njwt_algorithm: RS256`],
    ['a user in the URL of a JWK Set', `publisher_jwks_url: https://u:${mark}@a.example/`],
    ['no URL for a JWK Set', `publisher_jwks_url: ${mark}`],
    ['a key and a file', `jwt_key: ${mark}\njwt_key_file: mercure.yaml`],
    ['a user in an origin', `jwt_key: ${secret}\ncors_allowed_origins: [https://u:${mark}@a.example]`],
    ['a user in a public URL', `jwt_key: ${secret}\npublic_urls: [ftp://u:${mark}@a.example]`],
    ['a user in an address', `jwt_key: ${secret}\naddr: http://u:${mark}@a.example`],
    // the transport
    ['a slash in a password', `jwt_key: ${secret}\ntransport_url: redis://u:${mark}/x@host`],
    ['a question mark in a password', `jwt_key: ${secret}\ntransport_url: redis://u:${mark}?x@host`],
    ['a sharp in a password', `jwt_key: ${secret}\ntransport_url: redis://u:${mark}#x@host`],
    ['a password after the port', `jwt_key: ${secret}\ntransport_url: redis://host:${mark}`],
    ['no scheme', `jwt_key: ${secret}\ntransport_url: u:${mark}@host`],
    ['an unknown scheme', `jwt_key: ${secret}\ntransport_url: mysql://u:${mark}@host`],
    ['a file with a bad URL', `jwt_key: ${secret}\ntransport_url_file: mercure.yaml`],
    // the environment
    ['an unknown scheme in a variable', '', { JWT_KEY: secret, TRANSPORT_URL: `x://u:${mark}@h` }],
    ['a key without quotes', '', { MERCURE_EXTRA_DIRECTIVES: `publisher_jwt a ${mark} HS256` }],
    ['a key on the next line', '', { MERCURE_EXTRA_DIRECTIVES: `publisher_jwt\n${mark}` }],
    ['a PEM without quotes', '', { MERCURE_EXTRA_DIRECTIVES: `publisher_jwt ${pem}` }],
    ['an open quote', '', { MERCURE_EXTRA_DIRECTIVES: `publisher_jwt "${mark}` }],
    ['a key where a role belongs', '', { MERCURE_EXTRA_DIRECTIVES: `issuer a {\n${mark}\n}` }],
    ['a key in place of jwt', '', { MERCURE_EXTRA_DIRECTIVES: `issuer a {\npublisher {\n${secret}\n}\n}` }],
    ['a key for an algorithm', '', { MERCURE_EXTRA_DIRECTIVES: `publisher_jwt HS256 ${mark}` }],
    ['a transport block', '', { MERCURE_EXTRA_DIRECTIVES: `transport redis {\nurl redis://u:${mark}@h\n}` }],
    ['a URL', '', { MERCURE_EXTRA_DIRECTIVES: `transport_url reddis://u:${mark}@h` }],
  ]
  for (const [name, yaml, env = {}] of refused) {
    test(name, async () => {
      const { loaded, text } = await say({ yaml, env })
      assert.equal(loaded, undefined, text)
      mustNotShow(text, [mark, inside, inside.slice(0, 12)])
    })
  }
})

describe('flags', () => {
  const misunderstood: readonly (readonly string[])[] = [
    [`--jwt-kye=${mark}`],
    [`-q${mark}`],
    [`-q${mark}'s`],
    ['--jwt-key', secret, mark],
    ['--jwt-key', secret, 'a', mark],
  ]
  for (const args of misunderstood) {
    test(`${args.join(' ').replaceAll(mark, '…')} is refused`, async () => {
      const said: string[] = []
      await assert.rejects(load({ args, said }), CommanderError)
      assert.match(said.join(''), /^error: (unknown option '-(q|-jwt-kye)'|too many arguments\. .* got \d\.)\n/)
      mustNotShow(said.join(''))
    })
  }
  test('that are good', async () => {
    const args = ['-k', secret, '-t', `redis://:${mark}@h/s`, '--license', mark]
    const { loaded, text } = await say({ args })
    assert.equal(loaded?.config.transportUrl.password, mark)
    mustNotShow(text)
  })
  for (const retired of ['--metrics', '--acme-hosts']) {
    test(`${retired} with a value is refused`, async () => {
      const { loaded, text } = await say({ args: [retired, mark, '-k', secret] })
      assert.equal(loaded, undefined)
      assert.match(text, new RegExp(retired))
      mustNotShow(text)
    })
  }
})
