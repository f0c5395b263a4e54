import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { compileOrigins } from '../../src/http/origin.ts'
import { refuses } from '../support/authentication.ts'

const cases: { patterns: string[]; allowed: string[]; refused: string[] }[] = [
  { patterns: [], allowed: [], refused: ['https://a.example', 'null', ''] },
  { patterns: ['*'], allowed: ['https://a.example', 'null', 'capacitor://localhost'], refused: [] },
  { patterns: ['null'], allowed: ['null'], refused: ['https://a.example', 'https://null'] },
  {
    patterns: ['https://A.example'],
    allowed: ['https://a.example', 'HTTPS://a.EXAMPLE', 'https://a.example:443'],
    refused: [
      'http://a.example',
      'https://a.example:8443',
      'https://a.example.evil',
      'https://x.a.example',
      'https://a.example/',
      '',
    ],
  },
  { patterns: ['http://a.example:80'], allowed: ['http://a.example'], refused: ['https://a.example'] },
  {
    patterns: ['https://münchen.example'],
    allowed: ['https://xn--mnchen-3ya.example'],
    refused: ['https://munchen.example'],
  },
  { patterns: ['http://[::1]:3000'], allowed: ['http://[::1]:3000'], refused: ['http://[::1]'] },
  {
    patterns: ['https://*.a.example'],
    allowed: ['https://x.a.example', 'https://x.y.a.example', 'https://X.A.example'],
    refused: [
      'https://a.example',
      'http://x.a.example',
      'https://x.a.example:8443',
      'https://x.a.example.evil',
      'https://evil.example/.a.example',
      'https://evil.example?.a.example',
      'https://evil.example#.a.example',
      'https://user@evil.a.example',
      'https://evil.example\\.a.example',
    ],
  },
  {
    patterns: ['http://localhost:*'],
    allowed: ['http://localhost:3000'],
    refused: ['http://localhost', 'http://localhost.evil:1'],
  },
  { patterns: ['aa://a*a'], allowed: ['aa://aa', 'aa://aba'], refused: ['aa://a'] },
  {
    patterns: ['capacitor://localhost', 'ionic://*'],
    allowed: ['capacitor://localhost', 'ionic://localhost'],
    refused: ['capacitor://evil'],
  },
]

describe('origins', () => {
  for (const { patterns, allowed, refused } of cases) {
    test(`${JSON.stringify(patterns)}`, () => {
      const origins = compileOrigins(patterns, 'publish_allowed_origins')
      assert.equal(origins.any, patterns.includes('*'))
      for (const origin of allowed) assert.equal(origins.allows(origin), true, `${origin} is allowed`)
      for (const origin of refused) assert.equal(origins.allows(origin), false, `${JSON.stringify(origin)} is refused`)
    })
  }

  for (const pattern of [
    'https://a.example/',
    'https://a.example/app',
    'a.example',
    'https://user@a.example',
    'https://a.example?x',
    '',
    'https://*.*.example',
    '**',
  ]) {
    test(`${JSON.stringify(pattern)} is no origin`, async () => {
      await refuses(() => compileOrigins([pattern], 'cors_allowed_origins'), {
        code: 'configuration_invalid',
        sentence: /^cors_allowed_origins: .* is not an origin/,
      })
    })
  }

  test('a long origin against many wildcards ends', () => {
    const origins = compileOrigins(
      Array.from({ length: 200 }, (_, i) => `https://*${'a'.repeat(50)}${i}.example`),
      'x',
    )
    assert.equal(origins.allows(`https://${'a'.repeat(100_000)}`), false)
  })
})
