import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import { createCertificate } from '../../support/certificate.ts'
import { idsOf, runHistory } from '../../support/history.ts'
import { startHub } from '../../support/hub.ts'
import { TestLog } from '../../support/log.ts'
import { HubProcess } from '../../support/process.ts'
import { newStream } from '../../support/redis.ts'
import { startRelay } from '../../support/relay.ts'
import { freePort, noRedisProgram, RedisServer } from '../../support/services/redis.ts'

describe('a Redis that is not there yet', { skip: noRedisProgram }, () => {
  test('the hub answers that it lives and is not ready, refuses everybody, and starts when Redis does', async () => {
    await using server = await RedisServer.start()
    await server.kill()
    await using hub = await startHub({ transport_url: newStream(server.url).href })
    assert.equal((await hub.fetch('/healthz')).status, 200)
    const notReady = await hub.fetch('/readyz')
    assert.equal(notReady.status, 503)
    assert.match(await notReady.text(), /Redis cannot be used: connect ECONNREFUSED/)
    const refused = await hub.post(new URLSearchParams({ topic: 'https://example.com/a', data: 'x' }))
    assert.equal(refused.status, 503)
    assert.equal(refused.headers.get('Retry-After'), '1')
    const subscribed = await hub.fetch('/.well-known/mercure?topic=*&last_event_id=earliest')
    assert.equal(subscribed.status, 503)
    assert.match(await subscribed.text(), /has not reached its log yet/)
    await hub.logged(({ msg }) => /Redis cannot be used/.test(String(msg)))
    await server.run()
    await hub.running.attached
    assert.equal((await hub.fetch('/readyz')).status, 200)
    const stream = await hub.subscribe('topic=*')
    const id = await hub.publish({ topic: 'https://example.com/a', data: 'x' })
    assert.equal((await stream.take())[0]?.id, id)
  })

  test('a hub that has never reached it can be closed', async () => {
    const hub = await startHub({ transport_url: `redis://127.0.0.1:${await freePort()}/mercure` })
    await hub.close()
    await hub.running.attached
    assert.ok(!hub.logs.some(({ level }) => level === 60))
  })

  test('one that then proves to be misconfigured ends the hub, with a sentence', async () => {
    await using server = await RedisServer.start('--requirepass', 'secret')
    await server.kill()
    const config = `addr: 127.0.0.1:0\njwt_key: ${'k'.repeat(64)}\ntransport_url: ${newStream(server.url).href}\n`
    await using hub = await HubProcess.start({ config })
    await hub.url()
    await server.run()
    assert.equal(await hub.exit(), 1)
    assert.match(hub.stdout, /the hub cannot use its log, and ends/)
    assert.match(hub.stdout, /the server refuses user and password/)
    assert.doesNotMatch(hub.stdout, / at .*\.[jt]s:\d/)
  })
})

describe('a Redis on which no log can be kept is refused, with what to mend', { skip: noRedisProgram }, async () => {
  if (noRedisProgram !== false) return
  const server = await RedisServer.start('--requirepass', 'hunter2', '--databases', '2')
  after(() => server[Symbol.asyncDispose]())
  const url = () => {
    const stream = newStream(server.url)
    stream.password = 'hunter2'
    return stream
  }
  const refuses = async (location: URL, sentence: RegExp) => {
    await using log = await TestLog.open(location)
    await assert.rejects(log.start(), error => {
      assert.match(String(error), sentence)
      const told = JSON.stringify(log.logged) + String(error) + JSON.stringify(error) + (error as Error).stack
      assert.doesNotMatch(told, /hunter2|wrong-one/)
      return (error as { code: string }).code === 'configuration_invalid'
    })
  }

  test('no password', async () => {
    await refuses(
      newStream(server.url),
      /the server refuses user and password \(NOAUTH.*write redis:\/\/user:password@host/,
    )
  })

  test('a wrong password', async () => {
    const location = newStream(server.url)
    location.password = 'wrong-one'
    await refuses(location, /the server refuses user and password \(WRONGPASS/)
  })

  test('a server that has no AUTH, and shows what it was given instead', async () => {
    await using other = await RedisServer.start('--rename-command', 'AUTH', '')
    const location = newStream(other.url)
    location.password = 'wrong-one'
    await refuses(location, /the server lacks a command \(ERR unknown command ['`]auth['`]\)/i)
  })

  test('the hub does not start with it', async () => {
    const location = newStream(server.url)
    location.password = 'wrong-one'
    const config = `jwt_key: ${'k'.repeat(64)}\naddr: 127.0.0.1:0\ntransport_url: ${location.href}\n`
    await using hub = await HubProcess.start({ config })
    assert.equal(await hub.exit(), 1)
    const output = hub.stdout + hub.stderr
    assert.match(output, /the server refuses user and password/)
    assert.doesNotMatch(output, /wrong-one|listening/)
  })

  test('a user without the rights', async () => {
    const admin = server.client({ password: 'hunter2' })
    await admin.call(
      'ACL',
      'SETUSER',
      'reader',
      'on',
      '>hunter2',
      '~*',
      '+@read',
      '+@connection',
      '+info',
      '+evalsha',
      '+eval',
    )
    await admin.call('ACL', 'SETUSER', 'elsewhere', 'on', '>hunter2', '~other', '+@all')
    for (const user of ['reader', 'elsewhere']) {
      const location = url()
      location.username = user
      await refuses(location, /the user lacks a right \(.*give it the keys ~STREAM and ~\{STREAM\}:\*/)
    }
  })

  test('a user with just the rights that the sentence names', async () => {
    const admin = server.client({ password: 'hunter2' })
    const location = url()
    location.username = 'hub'
    const stream = location.pathname.slice(1)
    const rights = ['+@read', '+@write', '+@scripting', '+@connection', '+info', '+time']
    await admin.call('ACL', 'SETUSER', 'hub', 'on', '>hunter2', `~${stream}`, `~{${stream}}:*`, ...rights)
    await using log = await TestLog.start(location)
    await log.publish({ id: 'a' })
    await log.send('m')
    await log.delivers('a')
    await log.transport.ready!()
    assert.deepEqual(await log.all(), ['a'])
    assert.deepEqual(log.messages, ['m'])
  })

  for (const command of ['xadd', 'zadd', 'xtrim', 'incrby', 'xdel', 'zrem', 'time']) {
    test(`a user who may do everything but ${command}`, async () => {
      const admin = server.client({ password: 'hunter2' })
      const location = url()
      location.username = `no-${command}`
      await admin.call('ACL', 'SETUSER', location.username, 'on', '>hunter2', '~*', '+@all', `-${command}`)
      await refuses(
        location,
        new RegExp(`the user lacks a right \\(it may not run ${command.toUpperCase()} on all keys`),
      )
    })
  }

  test('a user who may but read the log', async () => {
    const admin = server.client({ password: 'hunter2' })
    const location = url()
    await using log = await TestLog.start(location)
    await log.publish({ id: 'a' })
    const stream = location.pathname.slice(1)
    const rights = ['+@read', '+@connection', '+info', '+eval', '+evalsha']
    await admin.call('ACL', 'SETUSER', 'looks', 'on', '>hunter2', `~${stream}`, `~{${stream}}:*`, ...rights)
    location.username = 'looks'
    assert.deepEqual(idsOf(await runHistory([location.href, '--json'])), ['a'])
  })

  test('a password that nobody asks for is no matter', async () => {
    await using other = await RedisServer.start()
    const location = newStream(other.url)
    location.password = 'wrong-one'
    const config = `jwt_key: ${'k'.repeat(64)}\naddr: 127.0.0.1:0\ntransport_url: ${location.href}\n`
    await using hub = await HubProcess.start({ config })
    await hub.url()
    assert.equal(hub.stderr, '')
  })

  test('no cluster, and no sentinel', async () => {
    const query = (name: string, value: string) => {
      const location = url()
      location.searchParams.set(name, value)
      return location
    }
    await refuses(query('cluster', '1'), /cluster: the server is no node of a Redis Cluster; leave out cluster=1/)
    const asSentinel = query('sentinel_master', 'main')
    asSentinel.searchParams.set('sentinel_password', 'hunter2')
    await refuses(asSentinel, /sentinel_master: the host is no sentinel; name the sentinels/)
  })

  test('a stream that can take no more', async () => {
    const admin = server.client({ password: 'hunter2' })
    const location = url()
    await admin.xadd(location.pathname.slice(1), `${2n ** 64n - 1n}-${2n ** 64n - 1n}`, 'a', 'b')
    await refuses(location, /the stream can take no more, .*XSETID; or name another stream/)
  })

  test('a key of another type', async () => {
    const admin = server.client({ password: 'hunter2' })
    const location = url()
    await admin.hset(location.pathname.slice(1), 'a', 'b')
    await refuses(location, /the key "test-[\d-]+" is taken: it holds a hash, not a stream; name another stream/)
  })

  test('a database that is not there', async () => {
    const location = url()
    location.searchParams.set('db', '2')
    await refuses(location, /db: the server has no database of that number/)
  })

  /** A server with a second port, for TLS; `undefined`: the one that there is was built without. */
  const startSecured = async (t: TestContext): Promise<{ plain: URL; secured: URL } | undefined> => {
    const certificate = await createCertificate()
    t.after(() => certificate[Symbol.asyncDispose]())
    const port = await freePort()
    const files = ['--tls-cert-file', certificate.certFile, '--tls-key-file', certificate.keyFile]
    try {
      const started = await RedisServer.start('--tls-port', String(port), ...files, '--tls-auth-clients', 'no')
      t.after(() => started[Symbol.asyncDispose]())
      return { plain: started.url, secured: Object.assign(new URL(started.url), { port: String(port) }) }
    } catch {
      t.skip('This redis-server was built without TLS.')
      return undefined
    }
  }

  test('TLS, with a certificate that is trusted and with one that is not', async t => {
    const urls = await startSecured(t)
    if (urls === undefined) return
    const location = newStream(urls.secured, 'tls=1')
    await using log = await TestLog.start(location)
    await log.publish({ id: 'a' })
    await log.delivers('a')
    // That process has not been told to trust it.
    const config = `jwt_key: ${'k'.repeat(64)}\naddr: 127.0.0.1:0\ntransport_url: ${location.href}\n`
    await using hub = await HubProcess.start({ config })
    assert.equal(await hub.exit(), 1)
    assert.doesNotMatch(hub.stdout + hub.stderr, / at .*\.[jt]s:\d/)
    assert.match(hub.stdout + hub.stderr, /no TLS connection \(DEPTH_ZERO_SELF_SIGNED_CERT\).*NODE_EXTRA_CA_CERTS/s)
  })

  test('TLS with a server that does not speak it, and none with one that speaks nothing else', async t => {
    const urls = await startSecured(t)
    if (urls === undefined) return
    await Promise.all([
      refuses(newStream(urls.plain, 'tls=1'), /the server does not speak TLS there; leave out tls=1/),
      refuses(newStream(urls.secured), /the server speaks TLS there; write rediss:\/\//),
    ])
  })

  test('one that may drop the log for want of memory is warned of', async () => {
    const admin = server.client({ password: 'hunter2' })
    await admin.config('SET', 'maxmemory', '1gb')
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru')
    await using log = await TestLog.start(url())
    await log.logs(/Redis drops any key when its memory is full \(maxmemory-policy allkeys-lru\)/)
    await admin.config('SET', 'maxmemory', '0')
  })

  test('another database of the same server is another log', async () => {
    const location = url()
    await using one = await TestLog.start(location)
    location.searchParams.set('db', '1')
    await using other = await TestLog.start(location)
    await one.publish({ id: 'one' })
    await other.publish({ id: 'other' })
    await Promise.all([one.delivers('one'), other.delivers('other')])
    assert.deepEqual([one.ids, other.ids], [['one'], ['other']])
  })

  test('a slow way to it is no reason to give up', async () => {
    await using relay = await startRelay(server)
    relay.holdAnswers()
    const location = url()
    location.port = String(relay.port)
    await using log = await TestLog.open(location)
    const started = log.start()
    while (relay.connections < 2) await new Promise(setImmediate)
    relay.releaseAnswers()
    await started
  })
})
