import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parsePublicUrl, parseResourceIdentifier } from '../../src/config/public-url.ts'
import { refusal } from '../support/configuration.ts'

describe('a public URL', () => {
  const readable: readonly [text: string, origin: string][] = [
    ['https://hub.example', 'https://hub.example'],
    ['https://hub.example/', 'https://hub.example'],
    ['https://Hub.Example:443/.well-known/mercure', 'https://hub.example'],
    ['http://localhost:3000', 'http://localhost:3000'],
    ['http://[::1]:3000', 'http://[::1]:3000'],
  ]
  for (const [text, origin] of readable) test(text, () => assert.equal(parsePublicUrl(text), origin))

  const refused: readonly [text: string, sentence: RegExp][] = [
    ['', /is not an http or https URL/],
    ['hub.example', /is not an http or https URL/],
    ['hub.example:443', /is not an http or https URL/],
    ['ftp://user:hunter2@hub.example', /is not an http or https URL/],
    ['https://user:hunter2@hub.example', /must be scheme, host and port only, like "https:\/\/hub\.example"/],
    ['https://hub.example/path', /scheme, host and port only/],
    ['https://hub.example/?key=hunter2', /scheme, host and port only/],
    ['https://hub.example/#x', /scheme, host and port only/],
    ['*', /is not an http or https URL/],
  ]
  for (const [text, sentence] of refused) {
    test(`${JSON.stringify(text)} is refused`, () => {
      const message = refusal(() => parsePublicUrl(text))
      assert.match(message, sentence)
      assert.doesNotMatch(message, /hunter2/)
    })
  }
})

describe('the resource identifier', () => {
  // Compared with aud letter by letter, so it stays as it is written.
  for (const text of ['https://hub.example/.well-known/mercure', 'https://Hub.Example', 'urn:example:hub']) {
    test(text, () => assert.equal(parseResourceIdentifier(text), text))
  }
  const refused: readonly [text: string, sentence: RegExp][] = [
    ['hub', /is not an absolute URL/],
    ['/.well-known/mercure', /is not an absolute URL/],
    ['https://hub.example#a', /has a fragment/],
    ['https://hub.example#', /has a fragment/],
  ]
  for (const [text, sentence] of refused) {
    test(`${text} is refused`, () => assert.match(refusal(() => parseResourceIdentifier(text)), sentence))
  }
})
