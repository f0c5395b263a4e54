import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:http2'
import { test } from 'node:test'
import { createCertificate } from '../support/certificate.ts'
import { startHub } from '../support/hub.ts'
import { publisherToken } from '../support/token.ts'

test('two Authorization headers are refused over HTTP/2 as over HTTP/1.1, whichever is first', async () => {
  await using certificate = await createCertificate()
  await using hub = await startHub({ cert_file: certificate.certFile, key_file: certificate.keyFile })
  // Node's client would not send them otherwise; its types do not know the option.
  const options = { ca: certificate.cert, strictSingleValueFields: false }
  const session = connect(hub.url, options)
  const good = `Bearer ${await publisherToken()}`
  const bad = `Bearer ${'x'.repeat(60)}`
  for (const [first, second] of [
    [good, bad],
    [bad, good],
  ] as const) {
    const stream = session.request([
      ...[':method', 'POST', ':path', '/.well-known/mercure', ':scheme', 'https', ':authority', new URL(hub.url).host],
      ...['content-type', 'application/x-www-form-urlencoded', 'authorization', first, 'authorization', second],
    ])
    stream.end('topic=a')
    const [headers] = await once(stream, 'response')
    assert.equal(headers[':status'], 401)
    const body = await stream.setEncoding('utf8').toArray()
    assert.match(body.join(''), /^authorization_malformed: The request has 2 Authorization headers/)
  }
  session.close()
})
