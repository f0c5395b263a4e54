import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parseCollectorUrl } from '../../../src/config/values/collector-url.ts'
import { parseShare } from '../../../src/config/values/share.ts'

suite('a share', () => {
  for (const [text, share] of [
    ['0', 0],
    ['1', 1],
    ['0.05', 0.05],
    ['.5', 0.5],
    ['1.0', 1],
  ] as const) {
    test(`${text} is one`, () => assert.equal(parseShare(text), share))
  }
  for (const text of ['', '2', '1.1', '-0.5', '50%', '1e-3', 'NaN', 'all']) {
    test(`${JSON.stringify(text)} is none`, () =>
      assert.throws(() => parseShare(text), { code: 'configuration_invalid', message: /from 0 to 1/ }))
  }
})

suite('the URL of a collector', () => {
  for (const [text, href] of [
    ['http://localhost:4318', 'http://localhost:4318/v1/traces'],
    ['https://collector.example/', 'https://collector.example/v1/traces'],
    ['https://collector.example/otlp/v1/traces?x=1', 'https://collector.example/otlp/v1/traces?x=1'],
  ] as const) {
    test(`${text} is one`, () => assert.equal(parseCollectorUrl(text).href, href))
  }
  for (const text of ['', 'localhost:4318', 'grpc://localhost:4317', 'http://']) {
    test(`${JSON.stringify(text)} is none`, () =>
      assert.throws(() => parseCollectorUrl(text), { code: 'configuration_invalid' }))
  }
  test('holds no password, and does not show one', () => {
    assert.throws(
      () => parseCollectorUrl('http://user:hidden@collector.example'),
      ({ message }: Error) => {
        assert.match(message, /OTEL_EXPORTER_OTLP_HEADERS/)
        assert.doesNotMatch(message, /hidden/)
        return true
      },
    )
  })
})
