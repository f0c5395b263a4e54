import assert from 'node:assert/strict'
import { describe, suite, test } from 'node:test'
import { type ErrorCode, HubError } from '../../../src/errors.ts'
import { challenge } from '../../../src/http/tokens/challenge.ts'
import { metadataPath, metadataUrl, protectedResourceMetadata } from '../../../src/http/tokens/metadata.ts'
import type { Generation } from '../../../src/protocol/generation.ts'
import { type Settings, startHub, type TestHub } from '../../support/hub.ts'
import { assertRefused, assertSecured } from '../../support/refusal.ts'
import { signAccessToken, testIssuer } from '../../support/token.ts'

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

suite('the document of a hub', () => {
  interface Document {
    readonly [member: string]: unknown
    readonly resource: string
    readonly mercure_cookie: string
    readonly mercure_subscriptions?: boolean
  }
  const another = { ...testIssuer, id: 'https://another.example', authorization_server: true }
  const cases: { name: string; settings: Settings; expected: (hub: TestHub) => Document }[] = [
    {
      name: 'as it is by default',
      settings: { issuers: [testIssuer] },
      expected: hub => ({
        resource: hub.hubUrl,
        bearer_methods_supported: ['header'],
        authorization_details_types_supported: ['https://mercure.rocks/authorization-detail'],
        mercure_cookie: '__Secure-mercure_access_token',
        mercure_matcher_types_supported: ['exact', 'urlpattern'],
      }),
    },
    {
      name: 'with everything that can be configured, and closed to the anonymous',
      settings: {
        issuers: [testIssuer, another],
        protocol: '1.0',
        subscriptions: true,
        cookie_name: 'hub',
        resource_identifier: 'https://hub.example/.well-known/mercure',
        allow_anonymous: false,
      },
      expected: () => ({
        resource: 'https://hub.example/.well-known/mercure',
        bearer_methods_supported: ['header'],
        authorization_servers: ['https://another.example'],
        authorization_details_types_supported: ['https://mercure.rocks/authorization-detail'],
        mercure_cookie: 'hub',
        mercure_subscriptions: true,
        mercure_matcher_types_supported: ['exact', 'urlpattern'],
      }),
    },
  ]
  for (const { name, settings, expected } of cases) {
    test(`${name}: what it says is so`, async () => {
      await using hub = await startHub(settings)
      const response = await hub.fetch(metadataPath)
      assert.equal(response.status, 200)
      assert.equal(response.headers.get('content-type'), 'application/json')
      assertSecured(response)
      const text = await response.text()
      assert.ok(text.endsWith('}\n'), text)
      const document = JSON.parse(text)
      assert.deepEqual(document, expected(hub))

      const token = await signAccessToken(document.resource, [{ actions: ['subscribe'], topics: [{ match: '*' }] }])
      const cookie = { Cookie: `${document.mercure_cookie}=${token}` }
      const stream = await hub.subscribe('match=a', { headers: cookie })
      stream.close()
      const subscriptions = await hub.fetch('/.well-known/mercure/subscriptions', { headers: cookie })
      assert.equal(subscriptions.status, document.mercure_subscriptions === true ? 200 : 404)
    })

    test(`${name}: challenges lead to it`, async () => {
      await using hub = await startHub(settings)
      const response = await fetch(hub.hubUrl, { method: 'POST' })
      const { resource } = expected(hub)
      const address = /resource_metadata="([^"]+)"/.exec(response.headers.get('www-authenticate') ?? '')?.[1]
      assert.equal(address, new URL(metadataPath, resource).href)
    })

    test(`${name}: HEAD has its headers, other methods are refused`, async () => {
      await using hub = await startHub(settings)
      const head = await hub.fetch(metadataPath, { method: 'HEAD' })
      assert.equal(head.status, 200)
      assert.equal(head.headers.get('content-type'), 'application/json')
      assert.equal(await head.text(), '')
      const post = await hub.fetch(metadataPath, { method: 'POST' })
      assert.equal(post.headers.get('allow'), 'GET, HEAD')
      await assertRefused(post, 405, 'method_not_allowed')
    })
  }

  for (const [name, settings] of Object.entries({
    'without issuers': {},
    'pinned to 0.x': { issuers: [testIssuer], protocol: '0.x' },
  } satisfies Record<string, Settings>)) {
    test(`${name} there is none, and no challenge leads to it`, async () => {
      await using hub = await startHub(settings)
      await assertRefused(await hub.fetch(metadataPath), 404, 'not_found')
      const response = await fetch(hub.hubUrl, { method: 'POST' })
      assert.equal(response.headers.get('www-authenticate'), 'Bearer realm="mercure"')
    })
  }
})
