import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Command } from 'commander'
import { keys } from '../../../src/config/schema.ts'
import { addConfigOptions, readFlags } from '../../../src/config/sources/flags.ts'
import { load, problemsOf } from '../../support/configuration.ts'

const read = (...args: string[]) => readFlags(addConfigOptions(new Command()).parse(args, { from: 'user' }))

describe('a flag', () => {
  test('exists for every key of a single value', () => {
    const known = addConfigOptions(new Command()).options.map(({ long }) => long)
    const missing = keys.filter(key => !known.includes(`--${key.replaceAll('_', '-')}`))
    assert.deepEqual(missing, ['recent', 'issuers', 'limits'])
  })

  const letters: Readonly<Record<string, readonly [letters: string, value: string]>> = {
    text: ['atkOKALBCJiWTRl', 'value'],
    list: ['cp', 'value'],
  }
  const meant: Readonly<Record<string, string>> = {
    a: 'addr',
    t: 'transport_url',
    k: 'jwt_key',
    O: 'jwt_algorithm',
    K: 'publisher_jwt_key',
    A: 'publisher_jwt_algorithm',
    L: 'subscriber_jwt_key',
    B: 'subscriber_jwt_algorithm',
    C: 'cert_file',
    J: 'key_file',
    i: 'heartbeat_interval',
    W: 'write_timeout',
    T: 'dispatch_timeout',
    R: 'read_timeout',
    l: 'log_format',
    c: 'cors_allowed_origins',
    p: 'publish_allowed_origins',
  }
  for (const [kind, [all, value]] of Object.entries(letters)) {
    for (const letter of all) {
      test(`-${letter} takes a ${kind}: ${meant[letter]}`, () => {
        assert.deepEqual(read(`-${letter}`, value).layer.values, { [meant[letter]!]: value })
      })
    }
  }

  test('that switches may have a value, and letters may stand together', () => {
    assert.deepEqual(read('-dXs', '--demo=false', '-Z', 'true').layer.values, {
      debug: true,
      allow_anonymous: true,
      subscriptions: true,
      demo: 'false',
      compress: 'true',
    })
  })

  test('of a list may be repeated, and have commas', async () => {
    const args = [
      '-k',
      'a-secret-of-more-than-32-bytes-for-hs256',
      '-c',
      'https://a.example,https://b.example',
      '-c',
      'https://c.example',
    ]
    const { config } = await load({ args })
    assert.deepEqual(config.corsAllowedOrigins, ['https://a.example', 'https://b.example', 'https://c.example'])
  })

  test('that is not given says nothing', () => {
    const { file, layer } = read()
    assert.deepEqual([file, layer.values], [undefined, {}])
  })

  test('with a bad value is named', async () => {
    assert.deepEqual(await problemsOf({ args: ['-k', 'x', '-i', '15'] }), [
      'heartbeat_interval (--heartbeat-interval): "15" has no unit. Did you mean 15s?',
    ])
  })

  for (const [args, key] of [
    [['-o', 'a.example'], 'acme_hosts'],
    [['--acme-cert-dir=/certs'], 'acme_cert_dir'],
    [['-m'], 'metrics'],
    [['--tcsz', '1'], 'tcsz'],
  ] as const) {
    test(`${args.join(' ')} of the 0.x hub is refused with a word on what to do`, async () => {
      const [problem = '', ...more] = await problemsOf({ args: ['-k', 'x', ...args] })
      assert.deepEqual(more, [])
      assert.match(problem, new RegExp(`^${key} \\(--${key.replaceAll('_', '-')}\\): (?!there is no such key)`))
    })
  }
})
