import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { suite, test } from 'node:test'
import { networksOf } from '../../src/config/values/network.ts'
import { type Forwarded, readForwarded } from '../../src/http/forwarded.ts'
import { networkOf, readNode } from '../../src/http/ip-address.ts'
import { TrustedProxies } from '../../src/http/trusted-proxies.ts'

const proxies = new TrustedProxies([...networksOf('private_ranges'), '203.0.113.0/24', '2001:db8:ffff::/48'])
const read = (
  headers: Record<string, string>,
  remoteAddress: string | undefined = '127.0.0.1',
): Forwarded | undefined =>
  readForwarded({ headers, socket: { remoteAddress, destroyed: false } } as unknown as IncomingMessage, proxies)
const addressOf = (headers: Record<string, string>, peer?: string) => read(headers, peer)?.address

suite('the address of the sender', () => {
  const cases: readonly [name: string, list: string, address: string][] = [
    ['one', '198.51.100.7', '198.51.100.7'],
    ['what the client made up is left of it', '192.0.2.1, 198.51.100.7', '198.51.100.7'],
    ['behind several proxies', '192.0.2.1, 198.51.100.7, 203.0.113.5, 10.0.0.2', '198.51.100.7'],
    ['with a port', '198.51.100.7:50123', '198.51.100.7'],
    ['IPv6', '2001:db8::0:1', '2001:db8::1'],
    ['IPv6 with a port', '[2001:DB8::1]:443', '2001:db8::1'],
    ['IPv6 in brackets', '[2001:db8::1]', '2001:db8::1'],
    ['IPv6 behind a proxy with IPv6', '2001:db8::1,2001:db8:ffff::9', '2001:db8::1'],
    ['IPv4 as IPv6', '::ffff:198.51.100.7', '198.51.100.7'],
    ['IPv4 as IPv6, in hexadecimal, of a trusted proxy', '198.51.100.7, ::ffff:a00:2', '198.51.100.7'],
    ['without spaces', '198.51.100.7,10.0.0.2', '198.51.100.7'],
    ['everybody is trusted: the first', '192.168.1.9, 10.0.0.2', '192.168.1.9'],
    ['what is no address hides who is left of it', '192.0.2.1, unknown, 10.0.0.2', '10.0.0.2'],
    ['an identifier', '_hidden', '127.0.0.1'],
    ['a name', 'client.example', '127.0.0.1'],
    ['nothing between commas', '192.0.2.1,,10.0.0.2', '10.0.0.2'],
    ['a comma at the end', '192.0.2.1,', '127.0.0.1'],
    ['only commas', ',,,', '127.0.0.1'],
    ['zeros in front, which some read as octal', '0198.51.100.7', '127.0.0.1'],
    ['a network', '198.51.100.0/24', '127.0.0.1'],
    ['an injection', "198.51.100.7' OR 1=1", '127.0.0.1'],
  ]
  for (const [name, list, address] of cases) {
    test(`X-Forwarded-For: ${name}`, () => assert.equal(addressOf({ 'x-forwarded-for': list }), address))
  }

  const elements: readonly [name: string, list: string, address: string][] = [
    ['one', 'for=198.51.100.7;proto=https', '198.51.100.7'],
    ['in capitals, quoted', 'FOR="[2001:db8::1]:4711"', '2001:db8::1'],
    ['escaped', 'for="198.51.\\100.7"', '198.51.100.7'],
    ['several', 'for=192.0.2.1, for=198.51.100.7;by=203.0.113.5, for=10.0.0.2', '198.51.100.7'],
    ['twice in an element: the first', 'for=198.51.100.7;for=192.0.2.1', '198.51.100.7'],
    ['an identifier', 'for=192.0.2.1, for=_SEVKISEK', '127.0.0.1'],
    ['unknown', 'for=unknown, for=10.0.0.2', '10.0.0.2'],
    ['none in the last', 'for=198.51.100.7, proto=https', '127.0.0.1'],
    ['quotes that do not end', 'for="198.51.100.7, for=192.0.2.1', '127.0.0.1'],
    ['not written so', 'for: 198.51.100.7', '127.0.0.1'],
    ['empty parts', ';;for=198.51.100.7;, ,', '198.51.100.7'],
  ]
  for (const [name, list, address] of elements) {
    test(`Forwarded: ${name}`, () => assert.equal(addressOf({ forwarded: list }), address))
  }

  test('X-Forwarded-For goes before Forwarded', () => {
    assert.equal(addressOf({ 'x-forwarded-for': '198.51.100.7', forwarded: 'for=192.0.2.1' }), '198.51.100.7')
  })

  test('of a peer that is not trusted nothing is read', () => {
    const headers = { 'x-forwarded-for': '10.0.0.1', 'x-forwarded-host': 'evil.example', forwarded: 'for=10.0.0.1' }
    for (const peer of ['192.0.2.1', '2001:db8::1', '::ffff:192.0.2.1', '172.32.0.1', '128.0.0.1']) {
      assert.equal(read(headers, peer), undefined, peer)
    }
    for (const peer of ['127.0.0.1', '::ffff:127.0.0.1', '::1', '10.255.0.1', '203.0.113.77', 'fd00::1']) {
      assert.equal(read(headers, peer)?.host, 'evil.example', peer)
    }
  })

  test('a peer without an address is of this machine, unless it is gone', () => {
    const headers = { 'x-forwarded-for': '198.51.100.7' }
    assert.equal(
      readForwarded({ headers, socket: { destroyed: false } } as unknown as IncomingMessage, proxies)?.address,
      '198.51.100.7',
    )
    assert.equal(
      readForwarded({ headers, socket: { destroyed: true } } as unknown as IncomingMessage, proxies),
      undefined,
    )
  })

  test('heads full of it are read in no time, and not to their end', () => {
    const length = 250_000
    const trusted = '10.0.0.1,'.repeat(length / 9)
    assert.equal(addressOf({ 'x-forwarded-for': `198.51.100.7,${trusted}10.0.0.1` }), '10.0.0.1')
    const texts = [',', ';', '"', '\\"', ' ', '\t', 'for=', 'for="', 'for=1,', 'a=b;', '=', '[', '1.', ':']
    for (const text of texts) {
      const list = text.repeat(length / text.length)
      for (const name of ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded']) {
        assert.equal(addressOf({ [name]: list }), '127.0.0.1', `${name}: ${text}`)
        assert.equal(addressOf({ [name]: list.slice(0, 8000) }), '127.0.0.1', `${name}: ${text}`)
      }
    }
  })
})

test('a node may be written in many ways', () => {
  assert.equal(readNode('fe80::1%eth0'), 'fe80::1')
  for (const text of [
    '',
    ' ',
    '[]',
    '[1.2.3.4',
    '1.2.3.4:',
    '1.2.3:80',
    '::1:80:g',
    `::${'0'.repeat(200)}`,
    '[::1]80',
  ]) {
    assert.equal(readNode(text), undefined, text)
  }
})

test('an address of IPv6 is counted as its /64', () => {
  for (const [address, network] of [
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1::', '1:0:0:0::/64'],
    ['1:2:3::5:6:7:8', '1:2:3:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ] as const) {
    assert.equal(networkOf(address), network, address)
  }
})
