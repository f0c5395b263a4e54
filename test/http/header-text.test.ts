import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { namesTag } from '../../src/http/entity-tag.ts'
import { entityTagText, headerText, headerValue, quotedString } from '../../src/http/header-text.ts'
import { createCertificate } from '../support/certificate.ts'
import { Connection } from '../support/connection.ts'
import { startHub } from '../support/hub.ts'
import { publisherToken } from '../support/token.ts'

const path = '/.well-known/mercure'
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
