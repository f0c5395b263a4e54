import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Location, readLocation } from '../../../transports/kafka/location.ts'
import { checkUrl } from '../../../transports/kafka.ts'

const plain: Location = {
  addresses: [{ host: 'host', port: 9092 }],
  topic: 'mercure',
  group: undefined,
  tls: false,
  credentials: undefined,
  anyPartitions: false,
  bounds: { entries: 0, ageMs: undefined, bytes: undefined },
  replication: -1,
  ids: 1_000_000,
}

describe('a URL says where the log is', () => {
  const cases: readonly [string, Partial<Location>][] = [
    ['kafka://host/mercure', {}],
    ['kafka://host/?topic=mercure', {}],
    ['kafka://host?topic=mercure', {}],
    ['kafka://host:9093/mercure?topic=mercure', { addresses: [{ host: 'host', port: 9093 }] }],
    [
      'kafka://kafka/?addr=localhost:9092&topic=mercure-ha',
      { addresses: [{ host: 'localhost', port: 9092 }], topic: 'mercure-ha' },
    ],
    [
      'kafka://kafka/?addr=host1:9092&addr=host2&addr=[::1]:7000&topic=mercure&consumer_group=node-1',
      {
        group: 'node-1',
        addresses: [
          { host: 'host1', port: 9092 },
          { host: 'host2', port: 9092 },
          { host: '::1', port: 7000 },
        ],
      },
    ],
    [
      'kafka://host/mercure?user=kevin&password=maman&tls=1',
      { tls: true, credentials: { mechanism: 'PLAIN', user: 'kevin', password: 'maman' } },
    ],
    [
      'kafka://k%40:p%2Fw@host/mercure?user=k%40&password=p%2Fw',
      { credentials: { mechanism: 'PLAIN', user: 'k@', password: 'p/w' } },
    ],
    [
      'kafka://kafka/?addr=host1:9092,host2&topic=mercure',
      {
        addresses: [
          { host: 'host1', port: 9092 },
          { host: 'host2', port: 9092 },
        ],
      },
    ],
    [
      'kafka://k%40:p%2Fw@host/mercure?mechanism=SCRAM-SHA-512',
      { credentials: { mechanism: 'SCRAM-SHA-512', user: 'k@', password: 'p/w' } },
    ],
    [
      'kafka://host/mercure?partitions=any&replication=3&ids=0&size=100&size_bytes=1GB&max_age=24h',
      {
        ...{ anyPartitions: true, replication: 3, ids: 0 },
        bounds: { entries: 100, ageMs: 24 * 3600 * 1000, bytes: 1_000_000_000 },
      },
    ],
    ['kafka://host/mercure?max_age=0&size_bytes=0', { bounds: { entries: 0, ageMs: 0, bytes: 0 } }],
  ]
  for (const [url, expected] of cases) {
    test(url, () => assert.deepEqual(readLocation(new URL(url)), { ...plain, ...expected }))
  }
})

describe('a URL that says it wrongly is refused, with what to mend', () => {
  const cases: readonly [string, RegExp][] = [
    ['kafka:///mercure', /the host is missing; write kafka:\/\/host:9092\/topic, or give addr=host:port/],
    ['kafka://host', /the topic is missing; add topic=mercure/],
    ['kafka://host/a?topic=b', /topic and the path name two topics/],
    ['kafka://host/a%20b', /topic: a name has letters, digits/],
    ['kafka://host/%', /the topic has a "%" that begins no escape; write it as %25/],
    ['kafka://host/a?addr=b:c', /addr: "b:c" is not host:port/],
    ['kafka://host/a?addr=b:99999', /addr: the port in "b:99999" is not from 1 to 65535/],
    ['kafka://host/a?addr=b:0', /addr: the port in "b:0" is not from 1 to 65535/],
    ['kafka://host/a?addr=k:hunter2@b:1', /addr: there is a value that is not host:port/],
    ['kafka://host/a?addr=', /addr is empty; write addr=host:9092, or leave it out for the host of the URL/],
    ['kafka://host/a?addr=b&addr=', /addr is empty/],
    ['kafka://host/late.presence', /topic: "late\.presence" is where the nodes of another log tell each other/],
    ['kafka://kevin:hunter2@host/a?user=k', /the option user and the user before the host differ; write one of them/],
    ['kafka://k:hunter2@host/a?password=hunter22', /the option password and the password before the host differ/],
    [
      'kafka://host/a?replication=0',
      /replication: 1 at least; leave it out for as many as the brokers have by default/,
    ],
    ['kafka://host/a?user=kevin', /user and password go together/],
    ['kafka://host/a?mechanism=plain', /mechanism needs user and password/],
    [
      'kafka://host/a?user=k&password=hunter2&mechanism=gssapi',
      /mechanism: "gssapi" is none of plain, scram-sha-256, scram-sha-512/,
    ],
    ['kafka://host/a?partitions=3', /partitions: "3" is not "any"/],
    ['kafka://host/a?replication=40000', /replication: there are no so many brokers/],
    ['kafka://host/a?ids=6000000', /ids: 5000000 at most/],
    ['kafka://host/a?topics=b', /there is no option "topics"\. Did you mean "topic"/],
  ]
  for (const [url, sentence] of cases) {
    test(url, () =>
      assert.throws(
        () => checkUrl(new URL(url)),
        error => {
          assert.match(String(error), sentence)
          assert.doesNotMatch(String(error), /hunter2/)
          return (error as { code: string }).code === 'configuration_invalid'
        },
      ),
    )
  }
})
