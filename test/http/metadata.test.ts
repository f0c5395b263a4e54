import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type ErrorCode, HubError } from '../../src/errors.ts'
import { challenge } from '../../src/http/challenge.ts'
import { metadataPath, metadataUrl, protectedResourceMetadata } from '../../src/http/metadata.ts'
import type { Generation } from '../../src/protocol/generation.ts'

const resource = 'https://hub.example/.well-known/mercure'
const metadata = 'https://hub.example/.well-known/oauth-protected-resource/.well-known/mercure'

describe('protected resource metadata', () => {
  test('with everything', () => {
    assert.deepEqual(
      protectedResourceMetadata({
        resource,
        authorizationServers: ['https://as.example'],
        cookieName: 'c',
        subscriptions: true,
      }),
      {
        resource,
        bearer_methods_supported: ['header'],
        authorization_servers: ['https://as.example'],
        authorization_details_types_supported: ['https://mercure.rocks/authorization-detail'],
        mercure_cookie: 'c',
        mercure_subscriptions: true,
        mercure_matcher_types_supported: ['exact', 'urlpattern'],
      },
    )
  })

  test('what is absent is left out', () => {
    const document = protectedResourceMetadata({
      resource,
      authorizationServers: [],
      cookieName: 'c',
      subscriptions: false,
    })
    assert.equal('authorization_servers' in document, false)
    assert.equal('mercure_subscriptions' in document, false)
  })

  test('the address is between host and path of the resource', () => {
    assert.equal(metadataUrl(resource), metadata)
    assert.equal(new URL(metadata).pathname, metadataPath)
    assert.equal(metadataUrl('https://a.example:8443/'), 'https://a.example:8443/.well-known/oauth-protected-resource')
    assert.equal(
      metadataUrl('https://a.example/hub?x=1'),
      'https://a.example/.well-known/oauth-protected-resource/hub?x=1',
    )
    assert.equal(metadataUrl('not a url'), undefined)
  })
})

describe('challenges', () => {
  const cases: { code: ErrorCode; generation: Generation | undefined; expected: string | undefined }[] = [
    { code: 'token_missing', generation: '1.0', expected: `Bearer resource_metadata="${metadata}"` },
    { code: 'token_missing', generation: undefined, expected: `Bearer resource_metadata="${metadata}"` },
    { code: 'token_missing', generation: '0.x', expected: 'Bearer realm="mercure"' },
    {
      code: 'token_expired',
      generation: '1.0',
      expected: `Bearer error="invalid_token", error_description="What, 'when'.", resource_metadata="${metadata}"`,
    },
    {
      code: 'token_expired',
      generation: '0.x',
      expected: `Bearer realm="mercure", error="invalid_token", error_description="What, 'when'."`,
    },
    {
      code: 'publish_not_granted',
      generation: '1.0',
      expected: `Bearer error="insufficient_scope", error_description="What, 'when'.", resource_metadata="${metadata}"`,
    },
    {
      code: 'origin_missing',
      generation: '1.0',
      expected: `Bearer error="invalid_request", error_description="What, 'when'.", resource_metadata="${metadata}"`,
    },
    { code: 'token_keys_unreachable', generation: '1.0', expected: undefined },
    { code: 'topic_missing', generation: '1.0', expected: undefined },
  ]
  for (const { code, generation, expected } of cases) {
    test(`${code} of ${generation}`, () => {
      assert.equal(challenge(new HubError(code, 'What, "when".', { generation }), resource), expected)
    })
  }

  test('a message cannot break out of its quotes nor the header out of its line', () => {
    const error = new HubError('token_issuer', 'a"b\\c\r\nX: y\u0000 é ☃', { generation: '0.x' })
    assert.equal(
      challenge(error, resource),
      `Bearer realm="mercure", error="invalid_token", error_description="a'b?c??X: y? ? ?"`,
    )
    const hostile = challenge(error, 'https://a"b.example/')
    assert.ok(!hostile?.includes('a"b.example'))
    assert.ok((challenge(new HubError('token_claims', 'x'.repeat(10_000)), resource)?.length ?? 0) < 1000)
  })
})
