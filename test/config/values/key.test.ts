import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import { countSecretBytes, keyVerifier, parseKeySetUrl } from '../../../src/config/values/key.ts'
import { openKeys } from '../../../src/http/tokens/keys.ts'
import { type Algorithm, algorithms, asymmetricAlgorithms } from '../../../src/protocol/algorithm.ts'
import { keyPair, pkcs8, publicJwk, spki } from '../../support/keys.ts'

const pairOf = (algorithm: Algorithm) => keyPair(algorithm === 'Ed25519' ? 'EdDSA' : algorithm)
const publicPem = (algorithm: Algorithm) => spki(pairOf(algorithm).publicKey)

const octetJwk = (members: object): string => JSON.stringify({ kty: 'oct', k: 'c2VjcmV0', ...members })
const encrypted = keyPair('ES256')
  .privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'x' })
  .toString()

describe('a key', () => {
  for (const algorithm of algorithms.filter(name => name.startsWith('HS'))) {
    test(`that is a secret goes with ${algorithm}`, () => {
      assert.deepEqual(keyVerifier('secret', algorithm, 'jwt_algorithm'), { key: 'secret', algorithm })
    })
  }

  test('that is a secret means HS256 when nothing is said', () => {
    assert.deepEqual(keyVerifier('test', null, 'jwt_algorithm'), { key: 'test', algorithm: 'HS256' })
  })

  test('that is a JWK of a secret is one', () => {
    const key = JSON.stringify({ kty: 'oct', k: 'c2VjcmV0' })
    assert.deepEqual(keyVerifier(key, null, 'jwt_algorithm'), { key, algorithm: 'HS256' })
  })

  test('that only looks like a JWK is a secret', () => {
    for (const key of ['{', '{"kty":1}', '{null}'])
      assert.deepEqual(keyVerifier(key, 'HS256', ''), { key, algorithm: 'HS256' })
  })

  for (const algorithm of asymmetricAlgorithms) {
    const pem = publicPem(algorithm)
    const shapes: Readonly<Record<string, string>> = {
      'as PEM': pem,
      'as PEM on one line': pem.trim().replaceAll('\n', '\\n'),
      'as a JWK': JSON.stringify(publicJwk(pairOf(algorithm).publicKey)),
    }
    for (const [shape, text] of Object.entries(shapes)) {
      test(`for ${algorithm} ${shape} comes out as PEM`, () => {
        assert.deepEqual(keyVerifier(text, algorithm, 'jwt_algorithm'), { key: pem, algorithm })
      })
    }
  }

  const shortRsa = spki(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey)
  const otherCurve = spki(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey)
  const bad: readonly [what: string, key: string, algorithm: Algorithm | null, sentence: RegExp][] = [
    [
      'a secret with ES256',
      'secret',
      'ES256',
      /^holds a plain secret, but jwt_algorithm says ES256, which takes a public key in PEM form\.$/,
    ],
    [
      'a public key with HS256',
      publicPem('ES256'),
      'HS256',
      /^holds a public key, but jwt_algorithm says HS256, with which everybody .* say ES256\.$/,
    ],
    [
      'a public key without algorithm',
      publicPem('RS256'),
      null,
      /^holds a public key: state its algorithm in jwt_algorithm, one of RS256, RS384, RS512, PS256, PS384, PS512\.$/,
    ],
    [
      'a key of another type',
      publicPem('ES384'),
      'ES256',
      /^holds a key of type ec \(secp384r1\), but jwt_algorithm says ES256; for this key say ES384\.$/,
    ],
    [
      'an RSA key with EdDSA',
      publicPem('RS256'),
      'EdDSA',
      /^holds a key of type rsa \(2048 bits\), but jwt_algorithm says EdDSA; for this key say one of RS256/,
    ],
    ['a private key', pkcs8(keyPair('ES256').privateKey), 'ES256', /^holds a private key; the hub only verifies/],
    [
      'a private JWK',
      JSON.stringify(keyPair('ES256').privateKey.export({ format: 'jwk' })),
      'ES256',
      /^holds a private key/,
    ],
    [
      'a short RSA key',
      shortRsa,
      'RS256',
      /^holds a key of type rsa \(1024 bits\), which no algorithm of this hub uses\.$/,
    ],
    ['a key on an unknown curve', otherCurve, 'ES256', /^holds a key of type ec \(secp256k1\), which no algorithm/],
    [
      'a broken PEM',
      '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----',
      'ES256',
      /^holds a PEM text that cannot be read as a public key\.$/,
    ],
    [
      'a JWK for another algorithm',
      octetJwk({ alg: 'HS512' }),
      'HS256',
      /^holds a JWK for HS512, but jwt_algorithm says HS256\.$/,
    ],
    ['a JWK for an unknown algorithm', octetJwk({ alg: 'HS1' }), null, /^holds a JWK whose alg is none of this hub\.$/],
    ['a JWK of an empty secret', octetJwk({ k: '' }), null, /^holds an empty secret\.$/],
    ['a JWK without its secret', '{"kty":"oct"}', 'HS256', /^holds an empty secret\.$/],
    ['an encrypted private key', encrypted, 'ES256', /^holds a private key; the hub only verifies/],
    ['a broken JWK', '{"kty":"EC"}', 'ES256', /^holds a JWK that cannot be read as a public key\.$/],
  ]
  for (const [what, key, algorithm, sentence] of bad) {
    test(`that is ${what} is refused`, () => {
      assert.throws(() => keyVerifier(key, algorithm, 'jwt_algorithm'), {
        code: 'configuration_invalid',
        message: sentence,
      })
    })
  }
})

describe('a key that is accepted', () => {
  const rsa = keyPair('RS256').publicKey
  const accepted: readonly [what: string, key: string, algorithm: Algorithm | null][] = [
    ['a secret', 'secret', null],
    ['a JWK of a secret', octetJwk({}), null],
    ['a JWK that says its algorithm', octetJwk({ alg: 'HS512' }), null],
    ['a public JWK that says its algorithm', JSON.stringify(publicJwk(rsa, { alg: 'PS384' })), null],
    ['a public JWK that says it again', JSON.stringify(publicJwk(rsa, { alg: 'RS256', use: 'sig' })), 'RS256'],
    ['a PEM with Windows line breaks', spki(rsa).replaceAll('\n', '\r\n'), 'RS256'],
    ['a PEM with blanks around it', `\n\n ${spki(rsa)} \n`, 'RS256'],
    ['a PEM of PKCS #1', rsa.export({ type: 'pkcs1', format: 'pem' }).toString(), 'RS256'],
    ...asymmetricAlgorithms.map(name => [`a PEM for ${name}`, publicPem(name), name] as [string, string, Algorithm]),
  ]
  for (const [what, key, algorithm] of accepted) {
    test(`is one that tokens can be verified with: ${what}`, () => {
      const verifier = keyVerifier(key, algorithm, 'jwt_algorithm')
      assert.ok('key' in verifier)
      const context = { setting: 'jwt_key', warn: () => {}, now: Date.now, log: { info: () => {}, warn: () => {} } }
      assert.deepEqual(openKeys(verifier, context).algorithms, [verifier.algorithm])
    })
  }
  test('of a JWK has the algorithm that it says', () => {
    const { key, ...rest } = keyVerifier(JSON.stringify(publicJwk(rsa, { alg: 'PS384' })), null, '') as { key: string }
    assert.deepEqual(rest, { algorithm: 'PS384' })
    assert.equal(key, spki(rsa))
  })
  test('is as long as its secret, however that is written', () => {
    assert.equal(countSecretBytes('größe'), 7)
    assert.equal(countSecretBytes(octetJwk({ k: Buffer.alloc(32).toString('base64url') })), 32)
    assert.equal(countSecretBytes('{"kty":"oct"}'), 0)
  })
})

describe('the URL of a JWK Set', () => {
  for (const text of [
    'https://issuer.example/jwks.json?v=1',
    'http://localhost:8080/jwks',
    'file:///etc/mercure/jwks.json',
    'file://localhost/jwks.json',
  ]) {
    test(`${text} is one`, () => assert.equal(parseKeySetUrl(text).href, new URL(text).href))
  }
  const bad: readonly [text: string, sentence: RegExp][] = [
    ['jwks.json', /^must be an https:, http: or file: URL\.$/],
    ['ftp://issuer.example/jwks', /^must be an https:, http: or file: URL\.$/],
    ['https://u:hidden@issuer.example', /^must not hold a user and password\.$/],
    ['file://elsewhere/jwks.json', /^a file: URL names no host: write file:\/\/\/path\/to\/jwks\.json\.$/],
  ]
  for (const [text, sentence] of bad) {
    test(`${text} is none: ${sentence.source}`, () => {
      assert.throws(() => parseKeySetUrl(text), { code: 'configuration_invalid', message: sentence })
    })
  }
})
