import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import { type Algorithm, algorithms, keyVerifier, parseKeySetUrl } from '../../src/config/key.ts'
import { refusal } from '../support/configuration.ts'
import { keyPair, pkcs8, publicJwk, spki } from '../support/keys.ts'

const secret = 'hunter2-is-a-secret-of-more-than-32-bytes'
const rsa = keyPair('RS256').publicKey
const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey
const koblitz = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey
const agreement = generateKeyPairSync('x25519').publicKey
const octetJwk = JSON.stringify({ kty: 'oct', k: Buffer.from(secret).toString('base64url') })

describe('secrets', () => {
  const accepted: readonly [name: string, text: string, algorithm: Algorithm | null, taken: Algorithm][] = [
    ['HS256 unless told otherwise', secret, null, 'HS256'],
    ['HS384', secret, 'HS384', 'HS384'],
    ['HS512', secret, 'HS512', 'HS512'],
    ['a JWK of type oct', octetJwk, null, 'HS256'],
    ['what is no JWK though it begins like one', '{not json', null, 'HS256'],
    ['JSON that is no JWK', '{"a": 1}', 'HS256', 'HS256'],
    ['spaces count', ' a b ', null, 'HS256'],
  ]
  for (const [name, text, algorithm, taken] of accepted) {
    test(name, () => assert.deepEqual(keyVerifier(text, algorithm, 'jwt_algorithm'), { key: text, algorithm: taken }))
  }
  for (const algorithm of algorithms.filter(name => !name.startsWith('HS'))) {
    test(`are refused with ${algorithm}`, () => {
      const message = refusal(() => keyVerifier(secret, algorithm, 'jwt_algorithm'))
      assert.equal(
        message,
        `holds a plain secret, but jwt_algorithm says ${algorithm}, which takes a public key in PEM form.`,
      )
    })
  }
})

describe('public keys', () => {
  const kinds: readonly [algorithms: readonly Algorithm[], key: typeof rsa][] = [
    [['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'], rsa],
    [['ES256'], keyPair('ES256').publicKey],
    [['ES384'], keyPair('ES384').publicKey],
    [['ES512'], keyPair('ES512').publicKey],
    [['EdDSA', 'Ed25519'], keyPair('EdDSA').publicKey],
  ]
  for (const [possible, key] of kinds) {
    for (const algorithm of algorithms) {
      const fits = possible.includes(algorithm)
      test(`${key.asymmetricKeyType} of ${possible[0]} is ${fits ? 'taken' : 'refused'} with ${algorithm}`, () => {
        const read = () => keyVerifier(spki(key), algorithm, 'jwt_algorithm')
        if (fits) assert.deepEqual(read(), { key: spki(key), algorithm })
        else {
          const message = refusal(read)
          assert.match(message, algorithm.startsWith('HS') ? /everybody who knows that key could sign/ : /for this key say/)
          for (const name of possible) assert.match(message, new RegExp(name))
        }
      })
    }
    test(`of ${possible[0]} must have an algorithm stated`, () => {
      const message = refusal(() => keyVerifier(spki(key), null, 'publisher_jwt_algorithm'))
      assert.match(message, /holds a public key: state its algorithm in publisher_jwt_algorithm/)
      assert.match(message, new RegExp(`${possible.at(-1)}\\.$`))
    })
  }

  const pem = spki(rsa)
  const ways: readonly [name: string, text: string][] = [
    ['with blanks around it', `\n  ${pem}\n\n`],
    ['with Windows line breaks', pem.replaceAll('\n', '\r\n')],
    ['on one line with \\n written out', pem.trim().replaceAll('\n', '\\n')],
    ['of the older kind (PKCS #1)', rsa.export({ type: 'pkcs1', format: 'pem' }).toString()],
    ['as a JWK', JSON.stringify(publicJwk(rsa))],
  ]
  for (const [name, text] of ways) {
    test(name, () => assert.deepEqual(keyVerifier(text, 'RS256', 'jwt_algorithm'), { key: pem, algorithm: 'RS256' }))
  }

  const unusable: readonly [name: string, text: string, sentence: RegExp][] = [
    ['RSA of 1024 bits', spki(small), /holds a key of type rsa \(1024 bits\), which no algorithm/],
    ['another curve', spki(koblitz), /holds a key of type ec \(secp256k1\), which no algorithm/],
    ['for key agreement', spki(agreement), /holds a key of type x25519, which no algorithm/],
    ['a broken PEM', '-----BEGIN PUBLIC KEY-----\nhunter2\n-----END PUBLIC KEY-----', /a PEM text that cannot be read/],
    ['a PEM cut off', pem.slice(0, 100), /a PEM text that cannot be read/],
    ['a broken JWK', '{"kty": "RSA", "n": "hunter2"}', /a JWK that cannot be read/],
    ['a JWK of an unknown type', '{"kty": "hunter2"}', /a JWK that cannot be read/],
  ]
  for (const [name, text, sentence] of unusable) {
    test(`${name} is refused`, () => {
      const message = refusal(() => keyVerifier(text, 'RS256', 'jwt_algorithm'))
      assert.match(message, sentence)
      assert.doesNotMatch(message, /hunter2/)
    })
  }
})

describe('private keys are refused', () => {
  const { privateKey } = keyPair('ES256')
  const texts: readonly [name: string, text: string][] = [
    ['PKCS #8', pkcs8(privateKey)],
    ['SEC 1', privateKey.export({ type: 'sec1', format: 'pem' }).toString()],
    ['encrypted', privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'x' }).toString()],
    ['a JWK', JSON.stringify(privateKey.export({ format: 'jwk' }))],
    ['with \\n written out', pkcs8(privateKey).replaceAll('\n', '\\n')],
  ]
  for (const [name, text] of texts) {
    test(name, () => {
      assert.match(refusal(() => keyVerifier(text, 'ES256', 'jwt_algorithm')), /holds a private key; .*openssl pkey/)
      assert.equal(createPublicKey(privateKey).type, 'public')
    })
  }
})

describe('the URL of a JWK Set', () => {
  for (const text of ['https://issuer.example/jwks.json', 'http://localhost:9000/jwks', 'file:///etc/mercure/jwks.json']) {
    test(text, () => assert.equal(parseKeySetUrl(text).href, text))
  }
  const refused: readonly [text: string, sentence: RegExp][] = [
    ['jwks.json', /must be an https:, http: or file: URL/],
    ['ftp://hunter2.example/jwks', /must be an https:, http: or file: URL/],
    ['https://user:hunter2@issuer.example/jwks', /must not hold a user and password/],
    ['https://hunter2@issuer.example/jwks', /must not hold a user and password/],
    ['file://hunter2/jwks.json', /names no host/],
  ]
  for (const [text, sentence] of refused) {
    test(`${text} is refused`, () => {
      const message = refusal(() => parseKeySetUrl(text))
      assert.match(message, sentence)
      assert.doesNotMatch(message, /hunter2/)
    })
  }
  test('of a file may name this machine', () => {
    assert.equal(parseKeySetUrl('file://localhost/jwks.json').href, 'file:///jwks.json')
  })
})
