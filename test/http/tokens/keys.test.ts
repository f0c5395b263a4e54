import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import type { KeySource } from '../../../src/http/tokens/keys.ts'
import { authenticator, refuses, withBearer } from '../../support/authentication.ts'
import { keyPair, pkcs8, publicJwk, secret, sign, spki } from '../../support/keys.ts'

const claims = { mercure: { publish: ['*'] } }
const publisher = (source: KeySource) => authenticator({ legacy: { publisher: source } })
const asymmetric = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']

/** Self-signed, with a token that its private key has signed: nothing but this test knows that key. */
const certificate = `-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUNmc1ZlolnEAvUUQTd5g3SUQbMfowCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjExMTA2NDFaGA8yMTI2MTAyODExMDY0
MVowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABDqm
rHIfwhO7/uJB7Cc52VovpD7sEIW048Hw9ofjgxBMMww7ACacmjsSzO5by+g9Od0w
qFB3xwZLfYIO5hHI0ySjUzBRMB0GA1UdDgQWBBQkv97mePeMqKbM4ww6VKqw09/D
VzAfBgNVHSMEGDAWgBQkv97mePeMqKbM4ww6VKqw09/DVzAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCICIER19Y4h4+7EgTngtKLbiCWtc35QY8qGJg
Rnw8NqMeAiEA8XYmU3dyIeWmvXsbgkDKme5fEr22uzaCALoQDEKjDU4=
-----END CERTIFICATE-----
`
const certifiedToken =
  'eyJhbGciOiJFUzI1NiJ9.eyJtZXJjdXJlIjp7InB1Ymxpc2giOlsiKiJdfX0.FyF7Vv6J4L6lbv-fBbmY1pd1nIyfabIHKFyK6Xx_DRElheGO6WZRBRxHFtn4tyBVnwd7727Y35FXQ1d2-ajq3w'

describe('every algorithm verifies what it signed and refuses another key', () => {
  for (const algorithm of ['HS256', 'HS384', 'HS512']) {
    test(algorithm, async () => {
      const hub = publisher({ key: secret, algorithm })
      const grant = await hub.authenticate(withBearer(await sign(claims, { alg: algorithm })), 'publisher')
      assert.equal(grant?.publish?.[0]?.everything, true)
      const forged = await sign(claims, { alg: algorithm, key: Buffer.from('another secret') })
      await refuses(() => hub.authenticate(withBearer(forged), 'publisher'), {
        code: 'token_signature',
        generation: '0.x',
      })
    })
  }
  for (const algorithm of asymmetric) {
    test(algorithm, async () => {
      const { privateKey, publicKey } = keyPair(algorithm)
      const hub = publisher({ key: spki(publicKey), algorithm })
      const grant = await hub.authenticate(
        withBearer(await sign(claims, { alg: algorithm, key: privateKey })),
        'publisher',
      )
      assert.equal(grant?.publish?.[0]?.everything, true)
      const forged = await sign(claims, { alg: algorithm, key: keyPair(algorithm, 'another').privateKey })
      await refuses(() => hub.authenticate(withBearer(forged), 'publisher'), {
        code: 'token_signature',
        generation: '0.x',
      })
    })
  }
})

describe('every form of a key', () => {
  const { privateKey, publicKey } = keyPair('RS256')
  const forms: { name: string; source: KeySource & { key: string }; token: () => Promise<string> }[] = [
    {
      name: 'PKCS#1',
      source: { key: publicKey.export({ type: 'pkcs1', format: 'pem' }).toString(), algorithm: 'RS256' },
      token: () => sign(claims, { alg: 'RS256', key: privateKey }),
    },
    { name: 'certificate', source: { key: certificate, algorithm: 'ES256' }, token: async () => certifiedToken },
    {
      name: 'PEM on one line with \\n written out, as in environment files',
      source: { key: spki(publicKey).trim().replaceAll('\n', '\\n'), algorithm: 'RS256' },
      token: () => sign(claims, { alg: 'RS256', key: privateKey }),
    },
    {
      name: 'PEM with white space around',
      source: { key: `\n  ${spki(publicKey)}\n`, algorithm: 'RS256' },
      token: () => sign(claims, { alg: 'RS256', key: privateKey }),
    },
    {
      name: 'JWK, public',
      source: { key: JSON.stringify(publicJwk(keyPair('ES384').publicKey, { alg: 'ES384' })), algorithm: 'ES384' },
      token: () => sign(claims, { alg: 'ES384', key: keyPair('ES384').privateKey }),
    },
    {
      name: 'JWK, secret',
      source: { key: JSON.stringify({ kty: 'oct', k: Buffer.from(secret).toString('base64url') }), algorithm: 'HS256' },
      token: () => sign(claims),
    },
    {
      name: 'a secret that looks like JSON',
      source: { key: '{"not": "a JWK", "but": "a secret of enough bytes"}', algorithm: 'HS256' },
      token: () => sign(claims, { key: Buffer.from('{"not": "a JWK", "but": "a secret of enough bytes"}') }),
    },
    ...['t', 'test', '!ChangeMe!'].map(key => ({
      name: `a secret of ${key.length} bytes`,
      source: { key, algorithm: 'HS512' },
      token: () => sign(claims, { alg: 'HS512', key: Buffer.from(key) }),
    })),
  ]
  for (const { name, source, token } of forms) {
    test(name, async () => {
      const grant = await publisher(source).authenticate(withBearer(await token()), 'publisher')
      assert.equal(grant?.publish?.[0]?.everything, true)
    })
  }
})

describe('keys that stop the start', () => {
  const rsa = spki(keyPair('RS256').publicKey)
  const small = spki(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey)
  const pss = spki(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey)
  const cases: { name: string; source: KeySource; sentence: RegExp }[] = [
    { name: 'an empty secret', source: { key: '', algorithm: 'HS256' }, sentence: /the secret is empty/ },
    {
      name: 'a PEM text as a secret',
      source: { key: rsa, algorithm: 'HS256' },
      sentence: /not a shared secret as HS256 needs/,
    },
    {
      name: 'a certificate as a secret',
      source: { key: certificate, algorithm: 'HS512' },
      sentence: /not a shared secret/,
    },
    {
      name: 'a public JWK as a secret',
      source: { key: JSON.stringify(publicJwk(keyPair('ES256').publicKey)), algorithm: 'HS256' },
      sentence: /not a shared secret/,
    },
    {
      name: 'a secret as a public key',
      source: { key: 'secret', algorithm: 'RS256' },
      sentence: /cannot be read; RS256 needs a public key/,
    },
    {
      name: 'a broken PEM',
      source: { key: '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', algorithm: 'ES256' },
      sentence: /cannot be read/,
    },
    { name: 'RSA for ES256', source: { key: rsa, algorithm: 'ES256' }, sentence: /of type rsa, ES256 needs ec/ },
    {
      name: 'EC for RS256',
      source: { key: spki(keyPair('ES256').publicKey), algorithm: 'RS256' },
      sentence: /of type ec, RS256 needs rsa/,
    },
    {
      name: 'another curve',
      source: { key: spki(keyPair('ES256').publicKey), algorithm: 'ES384' },
      sentence: /curve prime256v1, ES384 needs secp384r1/,
    },
    {
      name: 'a short RSA key',
      source: { key: small, algorithm: 'RS256' },
      sentence: /has 1024 bits, RS256 needs 2048/,
    },
    { name: 'a key bound to PSS', source: { key: pss, algorithm: 'PS256' }, sentence: /of type rsa-pss/ },
    {
      name: 'a JWK for another algorithm',
      source: { key: JSON.stringify(publicJwk(keyPair('RS256').publicKey, { alg: 'RS512' })), algorithm: 'RS256' },
      sentence: /JWK for "RS512"/,
    },
    { name: 'no algorithm', source: { key: 'x', algorithm: '' }, sentence: /algorithm "" is not one of HS256/ },
    { name: 'none', source: { key: 'x', algorithm: 'none' }, sentence: /algorithm "none" is not one of/ },
    { name: 'a member of every object', source: { key: 'x', algorithm: 'constructor' }, sentence: /is not one of/ },
    {
      name: 'HMAC for a JWK Set',
      source: { jwksUrl: 'https://a.example/jwks', algorithms: ['RS256', 'HS256'] },
      sentence: /HS256 is for shared secrets/,
    },
    {
      name: 'no algorithm for a JWK Set',
      source: { jwksUrl: 'https://a.example/jwks', algorithms: [] },
      sentence: /list of algorithms is empty/,
    },
    {
      name: 'an unknown algorithm for a JWK Set',
      source: { jwksUrl: 'https://a.example/jwks', algorithms: ['none'] },
      sentence: /"none" is not one of RS256/,
    },
    { name: 'a relative URL', source: { jwksUrl: '/jwks.json' }, sentence: /not an absolute URL/ },
    {
      name: 'another scheme',
      source: { jwksUrl: 'ftp://a.example/jwks' },
      sentence: /https:\/\/, http:\/\/ or file:\/\//,
    },
    { name: 'a file of another host', source: { jwksUrl: 'file://a.example/jwks' }, sentence: /names no host/ },
    {
      name: 'a URL with a password',
      source: { jwksUrl: 'https://user:hunter2@a.example/jwks' },
      sentence: /cannot hold a user or password/,
    },
  ]
  for (const { name, source, sentence } of cases) {
    test(name, async () => {
      const error = await refuses(() => publisher(source), { code: 'configuration_invalid', sentence })
      assert.match(error.message, /^publisher_jwt_key: /)
      if ('key' in source && source.key.length > 20) assert.ok(!error.message.includes(source.key.slice(0, 60)))
      assert.ok(!error.message.includes('hunter2'))
    })
  }

  test('the setting of an issuer is named', async () => {
    await refuses(
      () => authenticator({ issuers: [{ id: 'https://i.example', subscriber: { key: '', algorithm: 'HS256' } }] }),
      { code: 'configuration_invalid', sentence: /^issuers: https:\/\/i\.example: subscriber: / },
    )
  })
})

test('a private key verifies, as the public key that is in it', async () => {
  const hub = publisher({ key: pkcs8(keyPair('ES256').privateKey), algorithm: 'ES256' })
  const token = await sign(claims, { alg: 'ES256', key: keyPair('ES256').privateKey })
  assert.notEqual(await hub.authenticate(withBearer(token), 'publisher'), null)
  assert.equal(createPublicKey(pkcs8(keyPair('ES256').privateKey)).type, 'public')
})
