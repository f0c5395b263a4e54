import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2'
import { after, before, describe, suite, test } from 'node:test'
import fc from 'fast-check'
import { namesTag } from '../../src/http/entity-tag.ts'
import { entityTagText, headerText, headerValue, quotedString } from '../../src/http/header-text.ts'
import { createCertificate } from '../support/certificate.ts'
import { Connection, exchange } from '../support/connection.ts'
import { type Settings, startHub, type TestHub } from '../support/hub.ts'
import { bearer, readerTokens } from '../support/subscriptions.ts'
import { publisherToken, signAccessToken, testIssuer } from '../support/token.ts'

const path = '/.well-known/mercure'
const metadata = '/.well-known/oauth-protected-resource/.well-known/mercure'
const utf8AsLatin1 = (text: string): string => Buffer.from(text).toString('latin1')

describe('text in headers', () => {
  const cases: { name: string; text: string; value: string; tag: string; quoted: string }[] = [
    { name: 'an id of the hub', text: 'urn:uuid:0', value: 'urn:uuid:0', tag: 'urn:uuid:0', quoted: '"urn:uuid:0"' },
    { name: 'nothing', text: '', value: '', tag: '', quoted: '""' },
    { name: 'a space', text: 'a b', value: 'a b', tag: 'a%20b', quoted: '"a b"' },
    { name: 'quotation marks', text: '"a"', value: '"a"', tag: '%22a%22', quoted: '"\\"a\\""' },
    { name: 'a backslash', text: 'a\\', value: 'a\\', tag: 'a\\', quoted: '"a\\\\"' },
    { name: 'a percent sign', text: '%0A', value: '%0A', tag: '%250A', quoted: '"%0A"' },
    { name: 'line ends', text: 'a\r\nb', value: 'a%0D%0Ab', tag: 'a%0D%0Ab', quoted: '"a%0D%0Ab"' },
    { name: 'NUL, ESC and DEL', text: '\0\x1b\x7f', value: '%00%1B%7F', tag: '%00%1B%7F', quoted: '"%00%1B%7F"' },
    {
      name: 'UTF-8',
      text: 'é☃😀',
      value: utf8AsLatin1('é☃😀'),
      tag: utf8AsLatin1('é☃😀'),
      quoted: `"${utf8AsLatin1('é☃😀')}"`,
    },
  ]
  for (const { name, text, value, tag, quoted } of cases) {
    test(name, () => {
      assert.equal(headerValue(text), value)
      assert.equal(entityTagText(text), tag)
      assert.equal(quotedString(text), quoted)
    })
  }

  const anyText = fc
    .array(fc.integer({ min: 0, max: 0xffff }))
    .map(codes => String.fromCharCode(...codes).toWellFormed())

  test('whatever the text, nothing ends the header or its quotes', () => {
    fc.assert(
      fc.property(anyText, text => {
        assert.match(headerValue(text), /^[\x20-\x7e\x80-\xff]*$/)
        assert.match(entityTagText(text), /^[\x21\x23-\x7e\x80-\xff]*$/)
        assert.match(quotedString(text), /^"(?:[\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\["\\])*"$/)
      }),
    )
  })

  test('different texts have different tags', () => {
    fc.assert(
      fc.property(anyText, anyText, (one, other) => {
        assert.equal(entityTagText(one) === entityTagText(other), one === other)
      }),
    )
  })

  test('text of a request is UTF-8, and what is none breaks nothing', () => {
    fc.assert(fc.property(anyText, text => assert.equal(headerText(utf8AsLatin1(text)), text)))
    assert.equal(headerText('a\xe9b'), 'a\ufffdb')
  })

  test('an entity tag is named by itself, in a list, weak, or by *', () => {
    for (const condition of ['"a"', 'W/"a"', '"x","a"', ' "x" , W/"a" ', '*', ' * '])
      assert.ok(namesTag(condition, '"a"'), condition)
    for (const condition of [undefined, '', 'a', '"b"', '"a', 'a"', '"xa"', '"a ,"', 'W/', '**']) {
      assert.equal(namesTag(condition, '"a"'), false, `${condition}`)
    }
  })

  const id = 'ключ-é☃😀'

  test('an id in any script comes back whole, by HTTP/1.1', async () => {
    await using hub = await startHub()
    await hub.publish({ topic: 'a', id })
    const request = `GET ${path}?topic=a HTTP/1.1\r\nHost: hub\r\nLast-Event-ID: ${id}\r\n\r\n`
    const connection = (await Connection.open(hub.url)).send(Buffer.from(request))
    const head = (await connection.until(text => text.includes('\r\n\r\n'))).split('\r\n')
    for (const name of ['Last-Event-ID', 'Mercure-Last-Event-ID'])
      assert.ok(head.includes(`${name}: ${utf8AsLatin1(id)}`))
    connection.close()
  })

  test('an id in any script comes back whole, by HTTP/1.0', async () => {
    await using hub = await startHub()
    await hub.publish({ topic: 'a', id })
    const request = `GET ${path}?topic=a HTTP/1.0\r\nLast-Event-ID: ${id}\r\n\r\n`
    const connection = (await Connection.open(hub.url)).send(Buffer.from(request))
    const head = (await connection.until(text => text.includes('\r\n\r\n'))).split('\r\n')
    assert.ok(head.includes(`Mercure-Last-Event-ID: ${utf8AsLatin1(id)}`))
    connection.close()
  })

  test('an id in any script comes back whole, by HTTP/2', async () => {
    await using certificate = await createCertificate()
    await using hub = await startHub({ cert_file: certificate.certFile, key_file: certificate.keyFile })
    const publish = new URLSearchParams({ topic: 'a', id })
    const session = connect(hub.url, { ca: certificate.cert })
    const ask = async (headers: OutgoingHttpHeaders, body = '') => {
      const stream = session.request(headers)
      if (body !== '') stream.end(body)
      const [answer] = (await once(stream, 'response')) as [IncomingHttpHeaders]
      stream.close()
      return answer
    }
    const form = {
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Bearer ${await publisherToken()}`,
    }
    assert.equal((await ask(form, `${publish}`))[':status'], 200)
    const answer = await ask({ ':path': `${path}?topic=a`, 'last-event-id': utf8AsLatin1(id) })
    for (const name of ['last-event-id', 'mercure-last-event-id']) assert.equal(answer[name], utf8AsLatin1(id))
    session.close()
  })

  test('what is said in text after a stream on the same connection is UTF-8', async () => {
    await using hub = await startHub({ write_timeout: '20ms', dispatch_timeout: '0s' })
    const connection = await Connection.open(hub.url)
    connection.send(`GET ${path}?topic=a HTTP/1.1\r\nHost: hub\r\n\r\n`)
    await connection.until(text => text.endsWith('\r\n0\r\n\r\n'))
    connection.send(`GET ${path}?match_%C3%A9=a HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n`)
    assert.match(Buffer.from(await connection.end(), 'latin1').toString(), /matcher_unknown: .*"match_é"/)
  })
})

suite('every answer', () => {
  const security = {
    'x-frame-options': 'DENY',
    'x-content-type-options': 'nosniff',
    'x-xss-protection': '1; mode=block',
    'content-security-policy': "default-src 'self'",
  }
  let hub: TestHub
  let token: string
  before(async () => {
    hub = await startHub({
      subscriptions: true,
      issuers: [testIssuer],
      demo: true,
      metrics_enabled: true,
      metrics_addr: '',
      cors_allowed_origins: ['https://app.example'],
    })
    token = (await readerTokens(hub))['1.0']
  })
  after(() => hub.close())

  const answers: { target: string; status: number; init?: () => RequestInit | Promise<RequestInit> }[] = [
    { target: `${path}?topic=a`, status: 200 },
    { target: `${path}?topic=a`, status: 200, init: () => ({ method: 'HEAD' }) },
    { target: path, status: 400 },
    { target: path, status: 401, init: () => ({ method: 'POST' }) },
    {
      target: path,
      status: 200,
      init: async () => ({
        method: 'POST',
        headers: bearer(await publisherToken()),
        body: new URLSearchParams({ topic: 'a' }),
      }),
    },
    { target: path, status: 405, init: () => ({ method: 'PUT' }) },
    { target: path, status: 204, init: () => ({ method: 'OPTIONS' }) },
    { target: `${path}/subscriptions`, status: 401 },
    { target: `${path}/subscriptions`, status: 200, init: () => ({ headers: bearer(token) }) },
    {
      target: `${path}/subscriptions`,
      status: 304,
      init: () => ({ headers: { ...bearer(token), 'If-None-Match': '*' } }),
    },
    { target: metadata, status: 200 },
    { target: '/healthz', status: 200 },
    { target: '/readyz', status: 200 },
    { target: '/metrics', status: 200 },
    { target: '/metrics', status: 405, init: () => ({ method: 'POST' }) },
    { target: '/', status: 200 },
    { target: '/nothing', status: 404 },
    { target: `${path}/`, status: 404 },
  ]
  for (const { target, status, init } of answers) {
    test(`${status} of ${target} has the security headers`, async () => {
      const response = await hub.fetch(target, await init?.())
      await response.body?.cancel()
      assert.equal(response.status, status)
      const { headers } = response
      for (const [name, value] of Object.entries(security)) assert.equal(headers.get(name), value, name)
      if (status >= 400) assert.equal(headers.get('content-type'), 'text/plain; charset=utf-8')
    })
  }
})

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
      name: 'the first of several',
      forwarded: true,
      headers: ['Host: a', 'X-Forwarded-Proto: https, http', 'X-Forwarded-Host: hub.example, inner.example'],
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
      name: 'RFC 7239, the first of several',
      forwarded: true,
      headers: ['Host: a', 'Forwarded: proto=https;host=hub.example, proto=http;host=inner.example'],
      origin: 'https://hub.example',
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
