import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  hasForbiddenCharacters,
  isReserved,
  maxPatternTopicLength,
  referencesReserved,
} from '../../src/protocol/topic.ts'

suite('characters of generation 1.0', () => {
  const forbidden = {
    'C0 controls': ['\0', '\t', '\n', '\r', '\u001f'],
    DEL: ['\u007f'],
    'C1 controls': ['\u0080', '\u0085', '\u009f'],
    'format characters': ['\u00ad', '\u200b', '\u200d', '\u202e', '\u2066', '\ufeff', '\u{e0001}', '\u{1d173}'],
    'lone surrogates': ['\ud800', '\udfff', '\udc00\ud800'],
  }
  for (const [kind, characters] of Object.entries(forbidden)) {
    test(`${kind} are forbidden anywhere`, () => {
      for (const character of characters) {
        for (const text of [character, `${character}a`, `a${character}`, `é${character}😀`])
          assert.equal(hasForbiddenCharacters(text), true, JSON.stringify(text))
      }
    })
  }

  test('everything else is allowed', () => {
    for (const text of [
      '',
      ' ',
      '~',
      'https://example.com/é?a#b',
      '漢字',
      '😀',
      '\u00a0',
      '\u2028',
      '\ufffd',
      '\u{10ffff}',
    ])
      assert.equal(hasForbiddenCharacters(text), false, JSON.stringify(text))
  })

  test('a megabyte is read to its end', () => {
    assert.equal(hasForbiddenCharacters('😀'.repeat(2 ** 19)), false)
    assert.equal(hasForbiddenCharacters(`${'😀'.repeat(2 ** 19)}\u200b`), true)
  })
})

suite('the reserved namespace of generation 1.0', () => {
  const reserved = {
    'relative to the hub': ['', 'mercure', './mercure', 'mercure/x', '#foo', '?a=b'],
    'on any host': [
      '//evil/.well-known/mercure',
      'https://any.host/.well-known/mercure/x',
      'HTTPS://H/.well-known/mercure',
    ],
    'with any scheme': ['urn:/.well-known/mercure', 'foo://h/.well-known/mercure/subscriptions/exact/x/y'],
    'the path itself': [
      '/.well-known/mercure',
      '/.well-known/mercure/',
      '/.well-known/mercure?x',
      '/.well-known/mercure#x',
    ],
    escaped: ['/.well-known/%6Dercure', '%6D%65%72%63%75%72%65', '/%2Ewell-known/mercure/x', '/.well%2Dknown/mercure'],
    'with backslashes': ['\\.well-known\\mercure', '/.well-known\\mercure/x'],
    'with spaces around': [' mercure', 'mercure ', '  '],
    'by way of another segment': ['/x/../.well-known/mercure', '/x/%2e%2e/.well-known/mercure', 'x/../mercure'],
  }
  const free = {
    'other paths': [
      'foo',
      'bar',
      '.',
      '..',
      '*',
      '../mercure/x',
      '/mercure',
      'mercure2',
      '/.well-known',
      '/.well-known/',
    ],
    'neighbours of the path': [
      '/.well-known/mercure-x',
      '/.well-known/mercur%C3%A9',
      'https://h/foo/.well-known/mercure/bar',
    ],
    'another case': ['/.WELL-KNOWN/mercure', '/.well-known/Mercure'],
    'escapes that stay': ['/.well-known%2Fmercure/x', '/.well-known/%256Dercure'],
    'paths without hierarchy': ['urn:example:mercure', 'urn:.well-known/mercure'],
    'elsewhere in the URL': ['https://mercure/', 'https://h/?/.well-known/mercure', 'https://h/#/.well-known/mercure'],
    'no URL': ['https://', 'http://[/.well-known/mercure'],
  }
  for (const hubUrl of [undefined, 'https://hub.example/.well-known/mercure']) {
    test(`with ${hubUrl ?? 'no hub URL'}`, () => {
      for (const topic of Object.values(reserved).flat()) assert.equal(isReserved(topic, hubUrl), true, topic)
      for (const topic of Object.values(free).flat()) assert.equal(isReserved(topic, hubUrl), false, topic)
    })
  }

  test('a scheme alone is relative to a hub with the same scheme', () => {
    for (const [topic, hubUrl, expected] of [
      ['https:mercure', 'https://hub.example/.well-known/mercure', true],
      ['https:?x', 'https://hub.example/.well-known/mercure', true],
      ['https:mercure', 'http://hub.example/.well-known/mercure', false],
      ['https:any.host/.well-known/mercure', 'http://hub.example/.well-known/mercure', true],
      ['https:any.host/.well-known/mercure', 'https://hub.example/.well-known/mercure', false],
    ] as const)
      assert.equal(isReserved(topic, hubUrl), expected, topic)
  })

  test('a topic too long for patterns is reserved as soon as it could be', () => {
    const long = 'x'.repeat(maxPatternTopicLength)
    for (const topic of [
      `mercure/${long}`,
      `/.well-known/%6dercure/${long}`,
      `//${long}/.well-known/mercure`,
      `?${long}`,
      `  #${long}`,
      `http:?${long}`,
      `%6d%65%72%63%75%72%65?${long}`,
    ])
      assert.equal(isReserved(topic), true, topic.slice(0, 40))
    for (const topic of [
      long,
      `/${long}`,
      `https://example.com/${long}?x#y`,
      `/MERCURE/${long}`,
      `urn:?x`.replace('?', long),
    ])
      assert.equal(isReserved(topic), false, topic.slice(0, 40))
  })

  test('a megabyte is decided', () => {
    for (const unit of ['a', 'mercur', '%6d%65%72%63%75%72', 'a:@', '%', 'a+', ' ']) {
      const text = unit.repeat(2 ** 20 / unit.length)
      assert.equal(isReserved(`https://${text}`), false, unit)
    }
  })
})

test('generation 0.x reserves topics that have the hub path anywhere', () => {
  const reserved = [
    '/.well-known/mercure',
    'https://h/foo/.well-known/mercure/bar',
    '/.well-known/mercure-x',
    'x?/.well-known/mercure',
  ]
  for (const topic of reserved) assert.equal(referencesReserved(topic), true, topic)
  for (const topic of [
    '',
    'mercure',
    '#foo',
    '/.well-known/%6Dercure',
    '/.WELL-KNOWN/mercure',
    '*',
    '\\.well-known\\mercure',
  ])
    assert.equal(referencesReserved(topic), false, topic)
})
