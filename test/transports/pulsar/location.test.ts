import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { redactDsn } from '../../../src/config/dsn.ts'
import { messageTopic, readLocation } from '../../../transports/pulsar/location.ts'
import { checkUrl } from '../../../transports/pulsar.ts'

type Location = ReturnType<typeof readLocation>
const topic = { kind: 'persistent', tenant: 'public', namespace: 'default', name: 'mercure' } as const

const plain: Location = {
  isWebSocket: true,
  tls: false,
  addresses: [{ host: 'host', port: 8080 }],
  topic,
  readerName: undefined,
  token: undefined,
  adminUrl: new URL('http://host:8080'),
  tlsCaFile: undefined,
  bounds: { entries: 0, ageMs: undefined, bytes: undefined },
  ids: 1_000_000,
}
const native = { isWebSocket: false, addresses: [{ host: 'host', port: 6650 }], adminUrl: undefined }

describe('a URL says where the log is', () => {
  const cases: readonly [string, Partial<Location>][] = [
    ['pulsar+ws://host?topic=mercure', {}],
    ['pulsar+ws://host:81/mercure', { addresses: [{ host: 'host', port: 81 }], adminUrl: new URL('http://host:81') }],
    [
      'pulsar://localhost:6650?topic=mercure-ha&subscription_name=the-node-id',
      {
        ...native,
        addresses: [{ host: 'localhost', port: 6650 }],
        topic: { ...topic, name: 'mercure-ha' },
        readerName: 'the-node-id',
      },
    ],
    ['pulsar+ssl://host?topic=mercure', { ...native, tls: true, addresses: [{ host: 'host', port: 6651 }] }],
    [
      'pulsar+wss://host?topic=mercure&tls_ca_file=ca.pem',
      {
        tls: true,
        addresses: [{ host: 'host', port: 8443 }],
        adminUrl: new URL('https://host:8443'),
        tlsCaFile: 'ca.pem',
      },
    ],
    [
      'pulsar+ws://[::1]:81?topic=a/b/c&addr=[::2]&addr=d:82',
      {
        addresses: [
          { host: '::1', port: 81 },
          { host: '::2', port: 8080 },
          { host: 'd', port: 82 },
        ],
        adminUrl: new URL('http://[::1]:81'),
        topic: { kind: 'persistent', tenant: 'a', namespace: 'b', name: 'c' },
      },
    ],
    ['pulsar+ws://host?topic=persistent://public/default/mercure', {}],
    ['pulsar+ws://host?topic=mercure&token=a.b.c', { token: 'a.b.c' }],
    ['pulsar+ws://:a.b.c@host?topic=mercure', { token: 'a.b.c' }],
    ['pulsar+ws://token:a.b.c@host?topic=mercure', { token: 'a.b.c' }],
    ['pulsar://host?topic=mercure&admin_url=http://admin:8081', { ...native, adminUrl: new URL('http://admin:8081') }],
    [
      'pulsar+ws://host?topic=mercure&size=10&max_age=24h&size_bytes=1GiB&ids=5',
      { bounds: { entries: 10, ageMs: 86_400_000, bytes: 1 << 30 }, ids: 5 },
    ],
  ]
  for (const [url, expected] of cases) {
    test(url, () => assert.deepEqual(readLocation(new URL(url)), { ...plain, ...expected }))
  }

  test('what nodes tell each other is in a topic beside it, which keeps nothing', () => {
    assert.deepEqual(messageTopic(topic), { ...topic, kind: 'non-persistent', name: 'mercure-nodes' })
  })

  test('a token is not shown', () => {
    for (const url of ['pulsar+ws://host?topic=mercure&token=hunter2', 'pulsar+ws://:hunter2@host?topic=mercure']) {
      assert.doesNotMatch(redactDsn(new URL(url)), /hunter2/)
    }
  })
})

describe('a URL that says it badly is refused, with what to write instead', () => {
  const cases: readonly [string, RegExp][] = [
    ['pulsar+ws://host', /the topic is missing; add topic=mercure/],
    ['pulsar:///?topic=mercure', /the host is missing; write pulsar:\/\/host\?topic=mercure/],
    ['pulsar+ws://host/a?topic=b', /topic and the path both name a topic/],
    ['pulsar+ws://host?topic=a/b', /topic: write a name, or tenant\/namespace\/name/],
    ['pulsar+ws://host?topic=a%20b', /topic: write a name/],
    ['pulsar+ws://host?topic=non-persistent://public/default/a', /one that is not persistent keeps nothing/],
    ['pulsar+ws://host?topic=a-partition-0', /names one partition/],
    ['pulsar+ws://host?topic=a&topik=b', /there is no option "topik"\. Did you mean "topic"\?/],
    ['pulsar+ws://hunter2@host?topic=a', /write token=… as an option, or :TOKEN@/],
    ['pulsar+ws://user:hunter2@host?topic=a', /Pulsar knows tokens, no users here/],
    ['pulsar+ws://:hunter2@host?topic=a&token=x', /there are two tokens/],
    ['pulsar+ws://host?topic=a&token=hunter2%0a', /a token has neither spaces nor/],
    ['pulsar+ws://:hunter2%@host?topic=a', /the password has a "%" that begins no escape/],
    ['pulsar+ws://host?topic=a&addr=http://b', /addr is not host:port/],
    ['pulsar+ws://host?topic=a&admin_url=host:80', /admin_url: write http:\/\/host:8080/],
    ['pulsar+ws://host?topic=a&tls_ca_file=x', /tls_ca_file needs pulsar\+ssl:\/\/ or pulsar\+wss:\/\//],
    ['pulsar+ws://host?topic=a&size=-1', /size: "-1" is not a whole number/],
    ['pulsar+ws://host?topic=a&ids=99999999', /ids: 10000000 at most/],
  ]
  for (const [url, sentence] of cases) {
    test(url, () => {
      assert.throws(
        () => checkUrl(new URL(url)),
        (error: Error & { code: string }) => {
          assert.equal(error.code, 'configuration_invalid')
          assert.match(error.message, /^transport_url, pulsar(\+\w+)?: /)
          assert.match(error.message, sentence)
          assert.doesNotMatch(error.message, /hunter2/)
          return true
        },
      )
    })
  }
})
