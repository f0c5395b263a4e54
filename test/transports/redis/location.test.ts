import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readLocation } from '../../../transports/redis/location.ts'
import { checkUrl } from '../../../transports/redis.ts'

const plain = {
  addresses: [{ host: 'host', port: 6379 }],
  stream: 'mercure',
  tls: false,
  user: undefined,
  password: undefined,
  database: 0,
  isCluster: false,
  sentinel: undefined,
  maxLength: 0,
  replicas: 0,
}

describe('a URL says where the log is', () => {
  const cases: readonly [string, Partial<ReturnType<typeof readLocation>>][] = [
    ['redis://host/mercure', {}],
    ['valkey://host:6380/a/b', { addresses: [{ host: 'host', port: 6380 }], stream: 'a/b' }],
    ['redis://127.0.0.1:6379/mercure-ha', { addresses: [{ host: '127.0.0.1', port: 6379 }], stream: 'mercure-ha' }],
    ['redis://[::1]:7000/mercure', { addresses: [{ host: '::1', port: 7000 }] }],
    ['redis://host/mercure?tls=1&max_len_approx=1000', { tls: true, maxLength: 1000 }],
    ['redis://host/mercure?tls=0&max_len_approx=0', {}],
    ['rediss://host/mercure', { tls: true }],
    ['redis://us%40er:p%2Fw%3F@host/mercure', { user: 'us@er', password: 'p/w?' }],
    ['redis://:secret@host/mercure?db=3', { password: 'secret', database: 3 }],
    ['redis://host/%7Bapp%7D%20log', { stream: '{app} log' }],
    [
      'redis://host/mercure?addr=b:7001&addr=c',
      {
        isCluster: true,
        addresses: [
          { host: 'host', port: 6379 },
          { host: 'b', port: 7001 },
          { host: 'c', port: 6379 },
        ],
      },
    ],
    ['redis://host/mercure?cluster=1', { isCluster: true }],
    [
      'redis://:pw@host/mercure?addr=b&sentinel_master=main&sentinel_user=u&sentinel_password=p&wait_replicas=1',
      {
        password: 'pw',
        replicas: 1,
        sentinel: { master: 'main', user: 'u', password: 'p' },
        addresses: [
          { host: 'host', port: 26_379 },
          { host: 'b', port: 26_379 },
        ],
      },
    ],
  ]
  for (const [url, expected] of cases) {
    test(url, () => assert.deepEqual(readLocation(new URL(url)), { ...plain, ...expected }))
  }
})

describe('a URL that says it badly is refused, with what to write instead', () => {
  const cases: readonly [string, RegExp][] = [
    ['redis://host', /the name of the stream is missing; write redis:\/\/host:6379\/mercure/],
    ['redis://host/', /the name of the stream is missing/],
    ['redis:///mercure', /the host is missing/],
    ['redis://host/0', /looks like the number of a database; write redis:\/\/host:6379\/mercure\?db=0/],
    ['redis://host/s?max_len_aprox=5', /there is no option "max_len_aprox"\. Did you mean "max_len_approx"\?/],
    ['redis://host/s?max_len_approx=-1', /max_len_approx: "-1" is not a whole number/],
    ['redis://host/s?addr=b&cluster=0', /set cluster=1 or sentinel_master/],
    ['redis://host/s?addr=http://b', /addr is not host:port/],
    ['redis://host/s?addr=b:70000', /addr is not host:port/],
    ['redis://host/s?sentinel_password=x', /need sentinel_master/],
    ['redis://host/s?cluster=1&sentinel_master=m', /exclude each other/],
    ['redis://host/s?cluster=1&db=1', /a cluster has but the database 0/],
    ['redis://host/s?cluster=1&wait_replicas=1', /a cluster cannot be asked for that/],
    ['redis://host/a%7Db', /mark the part by which a cluster places it/],
    ['redis://u:hunter2%@host/s', /the password has a "%" that begins no escape/],
  ]
  for (const [url, sentence] of cases) {
    test(url, () => {
      assert.throws(
        () => checkUrl(new URL(url)),
        (error: Error & { code: string }) => {
          assert.equal(error.code, 'configuration_invalid')
          assert.match(error.message, /^transport_url, redis: /)
          assert.match(error.message, sentence)
          assert.doesNotMatch(error.message, /hunter2/)
          return true
        },
      )
    })
  }
})
