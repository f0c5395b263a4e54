import { after, afterEach, before, suite } from 'node:test'
import { hubPath } from '../../../src/protocol/topic.ts'
import { startHub, type TestHub } from '../../support/hub.ts'
import { assertDelivers, formHeader, repeat, request, testRows } from '../../support/raw-request.ts'
import { publisherToken } from '../../support/token.ts'

const mebibyte = 1 << 20

let hub: TestHub
let authorization: string
before(async () => {
  hub = await startHub()
  authorization = `Authorization: Bearer ${await publisherToken()}`
})
after(() => hub.close())
afterEach(() => assertDelivers(hub))

const publish = (body: string, ...headers: string[]): string =>
  request(`POST ${hubPath} HTTP/1.1`, [authorization, formHeader, `Content-Length: ${body.length}`, ...headers], body)

const chunked = (body: string, ...headers: string[]): string => {
  const chunks = (body.match(/.{1,65536}/gs) ?? []).map(chunk => `${chunk.length.toString(16)}\r\n${chunk}\r\n`)
  return request(
    `POST ${hubPath} HTTP/1.1`,
    [authorization, formHeader, 'Transfer-Encoding: chunked', ...headers],
    `${chunks.join('')}0\r\n\r\n`,
  )
}

const fill = (length: number): string => `topic=a&data=${'x'.repeat(length - 'topic=a&data='.length)}`

suite('bodies', () => {
  testRows(
    () => hub,
    [
      { name: 'exactly the limit', bytes: () => publish(fill(mebibyte)), status: 200 },
      { name: 'exactly the limit, in chunks', bytes: () => chunked(fill(mebibyte)), status: 200 },
      { name: 'one byte more', bytes: () => publish(fill(mebibyte + 1)), status: 413, code: 'body_too_large' },
      {
        name: 'one byte more, in chunks',
        bytes: () => chunked(fill(mebibyte + 1)),
        status: 413,
        code: 'body_too_large',
      },
      {
        name: 'many times the limit, in chunks',
        bytes: () => chunked(fill(20 * mebibyte)),
        status: 413,
        code: 'body_too_large',
      },
      {
        name: 'one byte more, of a QUERY',
        bytes: () =>
          request(`QUERY ${hubPath} HTTP/1.1`, [formHeader, `Content-Length: ${mebibyte + 1}`], fill(mebibyte + 1)),
        status: 413,
        code: 'body_too_large',
      },
      {
        name: 'a length that no body can have',
        bytes: () =>
          request(`POST ${hubPath} HTTP/1.1`, [authorization, formHeader, 'Content-Length: 99999999999999999999']),
        status: 400,
      },
      {
        name: 'a negative length',
        bytes: () => request(`POST ${hubPath} HTTP/1.1`, [authorization, formHeader, 'Content-Length: -1']),
        status: 400,
      },
      { name: 'two lengths', bytes: () => publish('topic=a', 'Content-Length: 70'), status: 400 },
      { name: 'a length and chunks', bytes: () => chunked('topic=a', 'Content-Length: 7'), status: 400 },
      {
        name: 'chunks, but not as the last coding',
        bytes: () =>
          request(
            `POST ${hubPath} HTTP/1.1`,
            [authorization, formHeader, 'Transfer-Encoding: chunked, gzip'],
            '0\r\n\r\n',
          ),
        status: 400,
      },
      {
        name: 'a chunk whose size is none',
        bytes: () =>
          request(
            `POST ${hubPath} HTTP/1.1`,
            [authorization, formHeader, 'Transfer-Encoding: chunked'],
            'xyz\r\ntopic=a\r\n0\r\n\r\n',
          ),
        status: 400,
      },
      {
        name: 'a chunk longer than its size',
        bytes: () =>
          request(
            `POST ${hubPath} HTTP/1.1`,
            [authorization, formHeader, 'Transfer-Encoding: chunked'],
            '3\r\ntopic=a\r\n0\r\n\r\n',
          ),
        status: 400,
      },
      { name: 'a percent sign alone', bytes: () => publish('topic=a&data=100%'), status: 400, code: 'body_malformed' },
      {
        name: 'a percent sign and one digit',
        bytes: () => publish('topic=a&data=%4'),
        status: 400,
        code: 'body_malformed',
      },
      {
        name: 'a percent sign and no hexadecimal digits',
        bytes: () => publish('topic=a&data=%zz'),
        status: 400,
        code: 'body_malformed',
      },
      {
        name: 'a percent sign alone in a name',
        bytes: () => publish('topic=a&%=b'),
        status: 400,
        code: 'body_malformed',
      },
      {
        name: 'a percent sign alone in the query',
        bytes: () => request(`GET ${hubPath}?topic=% HTTP/1.1`),
        status: 400,
        code: 'body_malformed',
      },
      {
        name: 'a percent sign alone in the body of a QUERY',
        bytes: () => request(`QUERY ${hubPath} HTTP/1.1`, [formHeader, 'Content-Length: 7'], 'topic=%'),
        status: 400,
        code: 'body_malformed',
      },
      { name: '1,000 topics', bytes: () => publish(repeat(1000, i => `topic=${i}`, '&')), status: 200 },
      {
        name: '1,001 topics',
        bytes: () => publish(repeat(1001, i => `topic=${i}`, '&')),
        status: 400,
        code: 'topics_too_many',
      },
      {
        name: 'a hundred thousand fields',
        bytes: () => publish(`topic=a&${repeat(100_000, () => 'b=c', '&')}`),
        status: 200,
      },
      { name: 'half a million separators', bytes: () => publish(`topic=a${'&'.repeat(500_000)}`), status: 200 },
      { name: 'a megabyte of escapes', bytes: () => publish(`topic=a&data=${'%41'.repeat(300_000)}`), status: 200 },
      {
        name: 'a megabyte of escapes that are no UTF-8',
        bytes: () => publish(`topic=a&data=${'%FF'.repeat(300_000)}`),
        status: 200,
      },
      {
        name: 'a media type that is none',
        bytes: () =>
          request(`POST ${hubPath} HTTP/1.1`, [authorization, 'Content-Type: ;;;', 'Content-Length: 7'], 'topic=a'),
        status: 400,
        code: 'body_malformed',
      },
      {
        name: 'an expectation that nobody knows',
        bytes: () => publish('topic=a', 'Expect: the-unexpected'),
        status: 417,
      },
      { name: 'Expect: 100-continue', bytes: () => publish('topic=a', 'Expect: 100-continue'), status: 200 },
      {
        name: 'Expect: 100-continue of a body that is too large',
        bytes: () =>
          request(`POST ${hubPath} HTTP/1.1`, [
            authorization,
            formHeader,
            `Content-Length: ${mebibyte + 1}`,
            'Expect: 100-continue',
          ]),
        status: 413,
        code: 'body_too_large',
      },
    ],
  )
})
