import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { TestLog } from '../../support/log.ts'
import { createTestKey, createTestUpdate } from '../../support/node.ts'
import { newStream } from '../../support/redis.ts'
import { noRedisProgram, RedisServer } from '../../support/services/redis.ts'

const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `id-${from + i}`)

describe('Redis Cluster', { skip: noRedisProgram }, async () => {
  if (noRedisProgram !== false) return
  const nodes = [await RedisServer.startClusterNode(), await RedisServer.startClusterNode()] as const
  after(() => Promise.all(nodes.map(node => node[Symbol.asyncDispose]())))
  const clients = nodes.map(node => node.client())
  const slots = Array.from({ length: 16_384 }, (_, slot) => slot)
  for (const [i, client] of clients.entries()) {
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)
    await client.call('CLUSTER', 'ADDSLOTS', ...slots.slice(i * 8192, (i + 1) * 8192))
  }
  await clients[0]!.call('CLUSTER', 'MEET', '127.0.0.1', nodes[1].port)
  const isWhole = async () => {
    const states = await Promise.all(clients.map(client => client.call('CLUSTER', 'INFO')))
    return states.every(state => /cluster_state:ok/.test(String(state)) && /known_nodes:2/.test(String(state)))
  }
  while (!(await isWhole()));

  test('a log on either node, found from one', async () => {
    const counts = [0, 0]
    for (let i = 0; i < 6; i++) {
      const url = newStream(nodes[0].url, 'cluster=1')
      await using a = await TestLog.start(url)
      await using b = await TestLog.start(newUrl(url, nodes[1].port))
      await Promise.all(range(0, 100).map(id => a.publish({ id })))
      await b.send('hello')
      const once = (log: TestLog, id: string) =>
        log.transport.publishOnce!(createTestUpdate({ id }), createTestKey('key'))
      assert.equal(await once(a, 'keyed'), undefined)
      assert.equal((await once(b, 'repeated'))?.id, 'keyed')
      await b.publish({ id: 'last' })
      for (const log of [a, b]) {
        await log.delivers('last')
        assert.deepEqual(log.ids, [...range(0, 100), 'keyed', 'last'])
        assert.deepEqual(log.messages, ['hello'])
        assert.deepEqual(await log.after('id-97'), ['id-98', 'id-99', 'keyed', 'last'])
        await log.transport.ready!()
      }
      const keys = await Promise.all(clients.map(client => client.keys(`*${url.pathname.slice(1)}*`)))
      for (const [node, found] of keys.entries()) {
        assert.ok(found.length === 0 || found.length === 6, `${found} on node ${node}`)
        if (found.length === 6) counts[node]!++
      }
    }
    assert.ok(counts[0]! > 0 && counts[1]! > 0, `all six logs came on one node: ${counts}`)
  })

  test('a node that dies and comes back: publishers wait for it, and nothing is lost', async () => {
    // The braces choose the slot: 12182, the second node's.
    const url = new URL(`redis://127.0.0.1:${nodes[0].port}/{foo}?cluster=1`)
    await using log = await TestLog.start(url, { publishTimeoutMs: 20_000 })
    for (const id of range(0, 20)) await log.publish({ id })
    await log.delivers('id-19')
    await nodes[1].kill()
    await log.logs(/Redis cannot be used/)
    // Of a cluster it is not known at once which of its nodes has gone: the first may be refused as unknown.
    const waiting = log.publish({ id: 'id-20' }).catch(() => log.publish({ id: 'id-20' }))
    await nodes[1].run()
    await waiting
    await log.delivers('id-20')
    assert.deepEqual(log.ids, range(0, 21))
    assert.deepEqual(await log.all(), range(0, 21))
  })

  test('without cluster=1 it says what to add', async () => {
    await using log = await TestLog.open(new URL(`redis://127.0.0.1:${nodes[0].port}/{foo}`))
    await assert.rejects(log.start(), { code: 'configuration_invalid', message: /node of a cluster; add cluster=1/ })
  })
})

describe('a Redis Cluster of one node, which has no address yet', { skip: noRedisProgram }, () => {
  test('is refused, with what to set', async () => {
    await using node = await RedisServer.startClusterNode()
    const client = node.client()
    await client.call('CLUSTER', 'ADDSLOTS', ...Array.from({ length: 16_384 }, (_, slot) => slot))
    while (!/cluster_state:ok/.test(String(await client.call('CLUSTER', 'INFO'))));
    const url = newStream(node.url, 'cluster=1')
    await using log = await TestLog.open(url)
    await assert.rejects(log.start(), {
      code: 'configuration_invalid',
      message: /a node does not say at which address it is .*set cluster-announce-ip/,
    })
    await client.config('SET', 'cluster-announce-ip', '127.0.0.1')
    await using other = await TestLog.start(url)
    await other.publish({ id: 'a' })
    await other.delivers('a')
  })
})

describe('Sentinel', { skip: noRedisProgram }, () => {
  test('a replica that is promoted is found: the log goes on there', async () => {
    await using first = await RedisServer.start()
    await using second = await RedisServer.start()
    const replica = second.client()
    await replica.replicaof('127.0.0.1', first.port)
    while (!/master_link_status:up/.test(await replica.info('replication')));
    await using sentinel = await RedisServer.startSentinel(first)
    const client = sentinel.client()
    const knowsReplica = async () => /slaves=1/.test(await client.info('sentinel'))
    while (!(await knowsReplica()));
    const url = newStream(sentinel.url, 'sentinel_master=main&wait_replicas=1')
    await using log = await TestLog.start(url, { publishTimeoutMs: 30_000 })
    for (const id of range(0, 20)) await log.publish({ id })
    await log.delivers('id-19')
    await first.kill()
    // There is no replica left to wait for then.
    url.searchParams.delete('wait_replicas')
    await using other = await TestLog.open(url, { publishTimeoutMs: 30_000 })
    await log.logs(/Redis cannot be used/)
    await log.logs(/Redis can be used again/)
    await other.start()
    await other.publish({ id: 'id-20' })
    await Promise.all([log.delivers('id-20'), other.delivers('id-20')])
    assert.deepEqual(log.ids, range(0, 21))
    assert.deepEqual(other.ids, range(0, 21))
  })

  test('sentinels that want a password, and those that watch something else', async () => {
    await using server = await RedisServer.start()
    await using sentinel = await RedisServer.startSentinel(server)
    await using other = await TestLog.open(newStream(sentinel.url, 'sentinel_master=other'))
    const started = assert.rejects(other.start(), { code: 'transport_unavailable' })
    await other.logs(/the sentinels know no server by the name in sentinel_master/)
    await other.transport.close()
    await started
    await sentinel.client().call('ACL', 'SETUSER', 'default', 'resetpass', '>hunter2')
    for (const query of ['sentinel_master=main', 'sentinel_master=main&sentinel_password=wrong-one']) {
      await using log = await TestLog.open(newStream(sentinel.url, query))
      await assert.rejects(log.start(), {
        code: 'configuration_invalid',
        message: /the sentinels refuse user and password \((NOAUTH|WRONGPASS).*set sentinel_user and sentinel_password/,
      })
    }
  })

  test('too few replicas: the publisher is told that it is stored, and not safely', async () => {
    await using server = await RedisServer.start()
    await using log = await TestLog.start(newStream(server.url, 'wait_replicas=1'), { publishTimeoutMs: 400 })
    await assert.rejects(log.publish({ id: 'a' }), {
      code: 'transport_unavailable',
      message: /The update is stored, but not as safely/,
    })
    await log.delivers('a')
    const once = (id: string) => log.transport.publishOnce!(createTestUpdate({ id }), createTestKey('key'))
    // Repeated, it is as unsafe as it was.
    for (const id of ['b', 'c']) await assert.rejects(once(id), { message: /The update is stored, but not as safely/ })
    await log.delivers('b')
    assert.deepEqual(await log.all(), ['a', 'b'])
  })
})

function newUrl(url: URL, port: number): URL {
  const other = new URL(url)
  other.port = String(port)
  return other
}
