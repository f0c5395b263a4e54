import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseOrigin } from '../../../src/config/values/origin.ts'
import { parsePublicUrl, parseResourceIdentifier } from '../../../src/config/values/public-url.ts'

type Parse = (text: string) => string

function accepts(parse: Parse, cases: readonly (readonly [text: string, value: string])[]): void {
  for (const [text, value] of cases) test(`${text} is ${value}`, () => assert.equal(parse(text), value))
}

function refuses(parse: Parse, cases: readonly (readonly [text: string, sentence: RegExp])[]): void {
  for (const [text, sentence] of cases) {
    test(`"${text}" is refused: ${sentence.source}`, () => {
      assert.throws(() => parse(text), { code: 'configuration_invalid', message: sentence })
    })
  }
}

describe('an origin', () => {
  accepts(parseOrigin, [
    ['*', '*'],
    ['null', 'null'],
    ['https://example.com', 'https://example.com'],
    ['HTTPS://Example.COM', 'https://example.com'],
    ['https://example.com:443', 'https://example.com'],
    ['http://example.com:80', 'http://example.com'],
    ['http://localhost:3000', 'http://localhost:3000'],
    ['http://[::1]:3000', 'http://[::1]:3000'],
    ['https://münchen.example', 'https://xn--mnchen-3ya.example'],
    ['https://*.example.com', 'https://*.example.com'],
    ['http://localhost:*', 'http://localhost:*'],
    ['capacitor://localhost', 'capacitor://localhost'],
    ['foobar://', 'foobar://'],
  ])
  refuses(parseOrigin, [
    ['https://example.com/', /leave out the slash at its end \("https:\/\/example\.com"\)\.$/],
    ['example.com', /the scheme is missing\. Did you mean "https:\/\/example\.com"\?$/],
    ['https://example.com/path', /without path, query or user\.$/],
    ['https://user@example.com', /without path, query or user\.$/],
    ['https://example.com?x', /is not an origin/],
    ['https://', /has no host/],
    ['https://*.*.example.com', /has more than one "\*"; an origin may hold one\.$/],
    ['https://exa%mple.com', /is not a host name\.$/],
    ['https://example.com:65536', /the port must be a number up to 65535\.$/],
  ])
})

describe('a public URL', () => {
  accepts(parsePublicUrl, [
    ['https://hub.example', 'https://hub.example'],
    ['https://hub.example:443/', 'https://hub.example'],
    ['http://hub.example:8080/.well-known/mercure', 'http://hub.example:8080'],
  ])
  refuses(parsePublicUrl, [
    ['hub.example', /is not an http or https URL; write it like https:\/\/hub\.example\.com\.$/],
    ['ftp://hub.example', /is not an http or https URL/],
    ['https://hub.example/else', /must be scheme, host and port only, like "https:\/\/hub\.example"\.$/],
    ['https://u:p@hub.example', /must be scheme, host and port only/],
    ['https://hub.example/?x', /must be scheme, host and port only/],
  ])
})

describe('a resource identifier', () => {
  accepts(parseResourceIdentifier, [
    ['https://hub.example/.well-known/mercure', 'https://hub.example/.well-known/mercure'],
    ['urn:example:hub', 'urn:example:hub'],
  ])
  refuses(parseResourceIdentifier, [
    ['/.well-known/mercure', /is not an absolute URL/],
    ['https://hub.example#x', /has a fragment/],
    ['https://hub.example#', /has a fragment/],
  ])
})
