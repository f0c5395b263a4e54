import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { exchange } from '../support/connection.ts'
import { type Settings, startHub, type TestHub } from '../support/hub.ts'
import { signAccessToken, testIssuer } from '../support/token.ts'

const path = '/.well-known/mercure'
const metadata = '/.well-known/oauth-protected-resource/.well-known/mercure'

suite("the hub's own address, as a request has it", () => {
  const cases: { name: string; forwarded?: boolean; headers: string[]; origin: string }[] = [
    { name: 'the Host', headers: ['Host: hub.example'], origin: 'http://hub.example' },
    { name: 'in lower case, with its port', headers: ['Host: HUB.Example:8080'], origin: 'http://hub.example:8080' },
    { name: 'without the default port', headers: ['Host: hub.example:80'], origin: 'http://hub.example' },
    { name: 'IPv6', headers: ['Host: [::1]:3000'], origin: 'http://[::1]:3000' },
    {
      name: 'nothing that says it was forwarded, unless a proxy is trusted',
      headers: [
        'Host: hub.example',
        'X-Forwarded-Proto: https',
        'X-Forwarded-Host: a.example',
        'Forwarded: proto=https;host=b.example',
      ],
      origin: 'http://hub.example',
    },
    {
      name: 'the scheme',
      forwarded: true,
      headers: ['Host: hub.example', 'X-Forwarded-Proto: https'],
      origin: 'https://hub.example',
    },
    {
      name: 'the host',
      forwarded: true,
      headers: ['Host: 10.0.0.1:3000', 'X-Forwarded-Host: hub.example'],
      origin: 'http://hub.example',
    },
    {
      name: 'the default port of the forwarded scheme',
      forwarded: true,
      headers: ['Host: hub.example:443', 'X-Forwarded-Proto: https'],
      origin: 'https://hub.example',
    },
    {
      name: 'the last of several, which the proxy has added to what a client sent',
      forwarded: true,
      headers: ['Host: a', 'X-Forwarded-Proto: gopher, https', 'X-Forwarded-Host: evil.example, hub.example'],
      origin: 'https://hub.example',
    },
    {
      name: 'of several proxies in a row, the first that is trusted',
      forwarded: true,
      headers: [
        'Host: a',
        'X-Forwarded-For: 198.51.100.7, 203.0.113.9, 10.0.0.2, 10.0.0.3',
        'X-Forwarded-Proto: http, https, http, http',
        'X-Forwarded-Host: evil.example, hub.example, inner.example, innermost.example',
      ],
      origin: 'https://hub.example',
    },
    {
      name: 'of several proxies, one that begins the list anew',
      forwarded: true,
      headers: [
        'Host: a',
        'X-Forwarded-For: 203.0.113.9, 10.0.0.2, 10.0.0.3',
        'X-Forwarded-Proto: https',
        'X-Forwarded-Host: hub.example, inner.example',
      ],
      origin: 'https://hub.example',
    },
    {
      name: 'in capitals',
      forwarded: true,
      headers: ['Host: a', 'X-Forwarded-Proto: HTTPS', 'X-Forwarded-Host: Hub.Example'],
      origin: 'https://hub.example',
    },
    {
      name: 'empty headers',
      forwarded: true,
      headers: ['Host: hub.example', 'X-Forwarded-Proto:', 'X-Forwarded-Host: '],
      origin: 'http://hub.example',
    },
    {
      name: 'a scheme that is none of the web',
      forwarded: true,
      headers: ['Host: hub.example', 'X-Forwarded-Proto: gopher'],
      origin: 'http://hub.example',
    },
    {
      name: 'RFC 7239',
      forwarded: true,
      headers: ['Host: a', 'Forwarded: for=192.0.2.60;proto=https;host=hub.example'],
      origin: 'https://hub.example',
    },
    {
      name: 'RFC 7239, quoted, in capitals',
      forwarded: true,
      headers: ['Host: a', 'Forwarded: For="[2001:db8::1]:4711"; Proto="https"; HOST="hub.example:8443"'],
      origin: 'https://hub.example:8443',
    },
    {
      name: 'RFC 7239, the last of several',
      forwarded: true,
      headers: ['Host: a', 'Forwarded: proto=gopher;host=evil.example, proto=https;host=hub.example'],
      origin: 'https://hub.example',
    },
    {
      name: 'RFC 7239, several proxies in a row',
      forwarded: true,
      headers: [
        'Host: a',
        'Forwarded: for=_hidden;host=evil.example',
        'Forwarded: for="[2001:db8::1]:4711";proto=https;host=hub.example, for=10.0.0.2;proto=http;host=inner.example',
      ],
      origin: 'https://hub.example',
    },
    {
      name: 'RFC 7239, commas and marks in quotes',
      forwarded: true,
      headers: ['Host: a', 'Forwarded: for="_a,b;c\\"";proto=https;host="hub.example"'],
      origin: 'https://hub.example',
    },
    {
      name: 'RFC 7239, not as it is written: nothing of it',
      forwarded: true,
      headers: ['Host: hub.example', 'Forwarded: for="_a, proto=https;host=evil.example'],
      origin: 'http://hub.example',
    },
    {
      name: 'RFC 7239, the scheme alone',
      forwarded: true,
      headers: ['Host: hub.example', 'Forwarded: proto=https'],
      origin: 'https://hub.example',
    },
    {
      name: 'X-Forwarded goes before RFC 7239',
      forwarded: true,
      headers: [
        'Host: a',
        'X-Forwarded-Proto: https',
        'X-Forwarded-Host: hub.example',
        'Forwarded: proto=http;host=other.example',
      ],
      origin: 'https://hub.example',
    },
    { name: 'neither', forwarded: true, headers: ['Host: hub.example'], origin: 'http://hub.example' },
  ]
  const hubs = {} as Record<'direct' | 'behind', TestHub>
  before(async () => {
    hubs.direct = await startHub({ issuers: [testIssuer] })
    hubs.behind = await startHub({ issuers: [testIssuer], use_forwarded_headers: true })
  })
  after(async () => {
    for (const hub of Object.values(hubs)) await hub.close()
  })
  for (const { name, forwarded = false, headers, origin } of cases) {
    test(`${forwarded ? 'behind a proxy' : 'directly'}: ${name}`, async () => {
      const hub = forwarded ? hubs.behind : hubs.direct
      const ask = (line: string, more: string[] = [], body = '') =>
        exchange(hub.url, [`${line} HTTP/1.1`, ...headers, ...more, 'Connection: close', '', body].join('\r\n'))
      const { status, body } = await ask(`GET ${metadata}`)
      assert.equal(status, 200)
      assert.equal(JSON.parse(body).resource, `${origin}${path}`)

      // The challenge leads there, and a token for that resource is accepted.
      const challenge = (await ask(`POST ${path}`)).headers['www-authenticate']
      assert.equal(challenge, `Bearer resource_metadata="${origin}${metadata}"`)
      for (const [audience, expected] of [
        [`${origin}${path}`, 200],
        ['https://another.example/.well-known/mercure', 401],
      ] as const) {
        const token = await signAccessToken(audience, [{ actions: ['publish'], topics: [{ match: '*' }] }])
        const form = ['Content-Type: application/x-www-form-urlencoded', 'Content-Length: 7']
        const answer = await ask(`POST ${path}`, [...form, `Authorization: Bearer ${token}`], 'topic=a')
        assert.equal(answer.status, expected, answer.body)
      }
    })
  }

  test('a token that was accepted for one address is not for another', async () => {
    const token = await signAccessToken(`http://one.example${path}`, [
      { actions: ['publish'], topics: [{ match: '*' }] },
    ])
    const publish = (host: string) =>
      exchange(
        hubs.direct.url,
        `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\ntopic=a`,
      )
    for (const [host, status] of [
      ['one.example', 200],
      ['two.example', 401],
      ['one.example', 200],
    ] as const) {
      assert.equal((await publish(host)).status, status, host)
    }
  })
})

suite('public_urls', () => {
  const targets = [
    `GET ${path}?topic=a`,
    `POST ${path}`,
    `OPTIONS ${path}`,
    `GET ${path}/subscriptions`,
    `GET ${metadata}`,
    `GET ${path}/debug/`,
    `POST ${path}/debug/token`,
    'GET /playground/a',
    'GET /nothing',
    'GET /',
  ]
  const hosts: { name: string; settings?: Settings; headers: string[]; origin?: string }[] = [
    { name: 'another host', headers: ['Host: other.example'], origin: 'http://other.example' },
    { name: 'another port', headers: ['Host: hub.example:8080'], origin: 'http://hub.example:8080' },
    { name: 'another scheme', headers: ['Host: secure.example'], origin: 'http://secure.example' },
    { name: 'a subdomain', headers: ['Host: a.hub.example'], origin: 'http://a.hub.example' },
    {
      name: 'a forwarded host, which is not trusted',
      headers: ['Host: other.example', 'X-Forwarded-Host: hub.example'],
      origin: 'http://other.example',
    },
    { name: 'one of them', headers: ['Host: hub.example'] },
    { name: 'one of them with its default port', headers: ['Host: HUB.example:80'] },
    { name: 'one of them, written with the path of the hub', headers: ['Host: path.example:3000'] },
    {
      name: 'one of them, as a proxy says that is not trusted',
      settings: { use_forwarded_headers: true, trusted_proxies: ['10.0.0.0/8', '192.0.2.1', '2001:db8::/32'] },
      headers: ['Host: 10.0.0.1', 'X-Forwarded-Host: hub.example', 'Forwarded: host=hub.example'],
      origin: 'http://10.0.0.1',
    },
    {
      name: 'one of them, as a trusted proxy says',
      settings: { use_forwarded_headers: true },
      headers: ['Host: 10.0.0.1', 'X-Forwarded-Proto: https', 'X-Forwarded-Host: secure.example'],
    },
  ]
  for (const { name, settings, headers, origin } of hosts) {
    test(`${name}: ${origin === undefined ? 'answered' : '421'}`, async () => {
      await using hub = await startHub({
        issuers: [testIssuer],
        subscriptions: true,
        demo: true,
        allow_anonymous: false,
        cors_allowed_origins: ['https://app.example'],
        public_urls: ['http://hub.example', 'https://secure.example', `http://path.example:3000${path}`],
        metrics_enabled: true,
        metrics_addr: '',
        ...settings,
      })
      const ask = (target: string) =>
        exchange(hub.url, [`${target} HTTP/1.1`, ...headers, 'Connection: close', '', ''].join('\r\n'))
      for (const target of targets) {
        const { status, body } = await ask(target)
        if (origin === undefined) assert.notEqual(status, 421, target)
        else {
          assert.equal(status, 421, target)
          assert.equal(body, `misdirected_request: This hub does not answer for ${origin}: see public_urls.\n`)
        }
      }
      const refusals = hub.logs.filter(({ code }) => code === 'misdirected_request')
      assert.equal(refusals.length, origin === undefined ? 0 : targets.length)
      // A probe knows a node by an address that no client uses.
      for (const target of ['/healthz', '/readyz', '/metrics'])
        assert.equal((await ask(`GET ${target}`)).status, 200, target)
    })
  }

  test('none: every origin is answered', async () => {
    await using hub = await startHub()
    const { status } = await exchange(
      hub.url,
      'GET /healthz HTTP/1.1\r\nHost: any.example\r\nConnection: close\r\n\r\n',
    )
    assert.equal(status, 200)
    const answer = await exchange(hub.url, `GET ${path} HTTP/1.1\r\nHost: any.example\r\nConnection: close\r\n\r\n`)
    assert.match(answer.body, /^matcher_missing: /)
  })
})
