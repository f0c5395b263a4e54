import assert from 'node:assert/strict'
import { after, afterEach, before, suite, test } from 'node:test'
import { hubPath } from '../../../src/protocol/topic.ts'
import { exchange } from '../../support/connection.ts'
import { startHub, type TestHub } from '../../support/hub.ts'
import { assertDelivers, repeat, request, testRows } from '../../support/raw-request.ts'

const mebibyte = 1 << 20

let hub: TestHub
before(async () => {
  hub = await startHub()
})
after(() => hub.close())
afterEach(() => assertDelivers(hub))

suite('heads', () => {
  testRows(
    () => hub,
    [
      { name: 'no HTTP at all', bytes: () => 'EHLO example.com\r\n\r\n', status: 400 },
      { name: 'a TLS handshake', bytes: () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', status: 400 },
      { name: 'HTTP/2 without TLS', bytes: () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', status: 400 },
      { name: 'a version that does not exist', bytes: () => request(`GET ${hubPath}?topic=a HTTP/9.9`), status: 400 },
      { name: 'no version', bytes: () => request(`GET ${hubPath}?topic=a`), status: 400 },
      { name: 'a method that does not exist', bytes: () => request(`FETCH ${hubPath}?topic=a HTTP/1.1`), status: 400 },
      { name: 'a method in lower case', bytes: () => request(`get ${hubPath}?topic=a HTTP/1.1`), status: 400 },
      {
        name: 'a known method that the hub does not serve',
        bytes: () => request(`PROPFIND ${hubPath} HTTP/1.1`),
        status: 405,
        code: 'method_not_allowed',
      },
      { name: 'TRACE', bytes: () => request(`TRACE ${hubPath} HTTP/1.1`), status: 405, code: 'method_not_allowed' },
      { name: 'OPTIONS *', bytes: () => request('OPTIONS * HTTP/1.1'), status: 400, code: 'request_malformed' },
      { name: 'a target without a slash', bytes: () => request('GET mercure HTTP/1.1'), status: 400 },
      {
        name: 'a backslash in the path',
        bytes: () => request('GET /.well-known\\mercure?topic=a HTTP/1.1'),
        status: 400,
        code: 'request_malformed',
      },
      {
        name: 'a path with dots that lead to the hub',
        bytes: () => request(`GET /x/..${hubPath}?topic=a HTTP/1.1`),
        status: 404,
        code: 'not_found',
      },
      {
        name: 'a percent-encoded spelling of the path',
        bytes: () => request('GET /.well-known/%6Dercure?topic=a HTTP/1.1'),
        status: 404,
        code: 'not_found',
      },
      {
        name: 'a broken percent-encoding in the path',
        bytes: () => request(`GET ${hubPath}/%zz HTTP/1.1`),
        status: 404,
        code: 'not_found',
      },
      { name: 'a NUL in the target', bytes: () => request(`GET ${hubPath}?topic=\0 HTTP/1.1`), status: 400 },
      { name: 'a raw byte in the target', bytes: () => request(`GET ${hubPath}?match=\xff HTTP/1.1`), status: 400 },
      {
        name: 'a URL longer than any head may be',
        bytes: () => request(`GET ${hubPath}?topic=${'a'.repeat(mebibyte)} HTTP/1.1`),
        status: 431,
        code: 'head_too_large',
      },
      {
        name: 'a header longer than any head may be',
        bytes: () => request(`GET ${hubPath}?topic=a HTTP/1.1`, [`X: ${'a'.repeat(mebibyte)}`]),
        status: 431,
        code: 'head_too_large',
      },
      {
        name: 'a flood of headers',
        bytes: () => request(`GET ${hubPath}?topic=a HTTP/1.1`, [repeat(100_000, i => `X${i}: a`, '\r\n')]),
        status: 431,
        code: 'head_too_large',
      },
      {
        name: 'a Last-Event-ID longer than any head may be',
        bytes: () => request(`GET ${hubPath}?topic=a HTTP/1.1`, [`Last-Event-ID: ${'a'.repeat(mebibyte)}`]),
        status: 431,
        code: 'head_too_large',
      },
      {
        name: 'a NUL in a header',
        bytes: () => request(`GET ${hubPath}?topic=a HTTP/1.1`, ['Last-Event-ID: a\0b']),
        status: 400,
      },
      {
        name: 'a control character in a header',
        bytes: () => request(`GET ${hubPath}?topic=a HTTP/1.1`, ['Last-Event-ID: a\x01b']),
        status: 400,
      },
      {
        name: 'a bare CR in a header',
        bytes: () => request(`GET ${hubPath}?topic=a HTTP/1.1`, ['Last-Event-ID: a\rX: b']),
        status: 400,
      },
      {
        name: 'a header folded over two lines',
        bytes: () => request(`GET ${hubPath}?topic=a HTTP/1.1`, ['Last-Event-ID: a\r\n b']),
        status: 400,
      },
      {
        name: 'a space before the colon',
        bytes: () => request(`GET ${hubPath}?topic=a HTTP/1.1`, ['Last-Event-ID : a']),
        status: 400,
      },
      {
        name: 'a header without a name',
        bytes: () => request(`GET ${hubPath}?topic=a HTTP/1.1`, [': a']),
        status: 400,
      },
      {
        name: 'lines that end in LF alone',
        bytes: () => request(`GET ${hubPath}?topic=a HTTP/1.1`).replaceAll('\r\n', '\n'),
        status: 400,
      },
    ],
  )
})

suite('Host', () => {
  const get = (...hosts: string[]) =>
    [`GET ${hubPath} HTTP/1.1`, ...hosts.map(host => `Host: ${host}`), 'Connection: close', '', ''].join('\r\n')
  testRows(
    () => hub,
    [
      { name: 'none', bytes: () => get(), status: 400 },
      {
        name: 'none in HTTP/1.0, where it may be absent',
        bytes: () => `GET ${hubPath} HTTP/1.0\r\n\r\n`,
        status: 400,
        code: 'matcher_missing',
      },
      { name: 'empty', bytes: () => get(''), status: 400, code: 'matcher_missing' },
      { name: 'two', bytes: () => get('hub.example', 'evil.example'), status: 400, code: 'request_malformed' },
      {
        name: 'the same twice',
        bytes: () => get('hub.example', 'hub.example'),
        status: 400,
        code: 'request_malformed',
      },
      { name: 'with spaces', bytes: () => get('a b'), status: 400, code: 'request_malformed' },
      { name: 'with a path', bytes: () => get('hub.example/path'), status: 400, code: 'request_malformed' },
      { name: 'with a user', bytes: () => get('user@hub.example'), status: 400, code: 'request_malformed' },
      { name: 'markup', bytes: () => get('"><script>alert(1)</script>'), status: 400, code: 'request_malformed' },
      { name: 'a port that is none', bytes: () => get('hub.example:99999'), status: 400, code: 'request_malformed' },
      { name: 'not UTF-8', bytes: () => get('\xff\xfe'), status: 400, code: 'request_malformed' },
      { name: 'as long as a head may be', bytes: () => get('a'.repeat(100_000)), status: 400, code: 'matcher_missing' },
    ],
  )

  test('thousands of different ones, each with a pattern of its own: each is answered', async () => {
    for (let batch = 0; batch < 20; batch++) {
      const answers = await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          const line = `HEAD ${hubPath}?match_urlpattern=/${batch}/${index}/:id HTTP/1.1`
          return await exchange(hub.url, `${line}\r\nHost: h${batch}-${index}.example\r\nConnection: close\r\n\r\n`)
        }),
      )
      assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200])
    }
  })
})
