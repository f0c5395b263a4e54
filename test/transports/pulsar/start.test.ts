import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { openArchive } from '../../../transports/index.ts'
import { createCertificate } from '../../support/certificate.ts'
import { startHub } from '../../support/hub.ts'
import { TestLog } from '../../support/log.ts'
import { createTestUpdate } from '../../support/node.ts'
import { HubProcess } from '../../support/process.ts'
import { newTopic } from '../../support/pulsar.ts'
import { noPulsarProgram, PulsarServer } from '../../support/services/pulsar.ts'

const silent = { info: () => {}, warn: () => {}, error: () => {} }

describe('a Pulsar that asks who is there', { skip: noPulsarProgram }, async () => {
  if (noPulsarProgram !== false) return
  const certificate = await createCertificate()
  const server = await PulsarServer.start({ tokens: true, certificate })
  const tokens = {
    admin: await server.token('admin'),
    hub: await server.token('hub'),
    other: await server.token('other'),
  }
  after(async () => {
    await server[Symbol.asyncDispose]()
    await certificate[Symbol.asyncDispose]()
  })
  await server.admin('POST', 'namespaces/public/default/permissions/hub', ['produce', 'consume'])

  const urlOf = (role: keyof typeof tokens, options: Readonly<Record<string, string>> = {}): URL =>
    newTopic(server.url, { token: tokens[role], ...options })
  const works = async (url: URL): Promise<TestLog> => {
    await using log = await TestLog.start(url)
    await log.publish({ id: 'a' })
    await log.send('m')
    await log.delivers('a')
    await log.until(() => log.messages.length > 0)
    await log.transport.ready!()
    assert.deepEqual(await log.all(), ['a'])
    return log
  }
  const refuses = async (url: URL, sentence: RegExp) => {
    await using log = await TestLog.open(url)
    await assert.rejects(log.start(), error => {
      assert.match(String(error), sentence)
      const told = JSON.stringify(log.logged) + String(error) + JSON.stringify(error) + (error as Error).stack
      for (const token of [...Object.values(tokens), 'wrong-one']) assert.ok(!told.includes(token))
      return (error as { code: string }).code === 'configuration_invalid'
    })
  }

  test('a token, as an option and in front of the host', async () => {
    await works(urlOf('admin'))
    const url = newTopic(server.url)
    url.password = tokens.admin
    await works(url)
  })

  test('no token, and a wrong one', async () => {
    const sentence = /the server refuses the token, or asks for one \(Authentication required\); write token=/
    await refuses(newTopic(server.url), sentence)
    await refuses(newTopic(server.url, { token: 'wrong-one' }), sentence)
  })

  test('the hub does not start with it', async () => {
    const url = newTopic(server.url, { token: 'wrong-one' })
    const config = `jwt_key: ${'k'.repeat(64)}\naddr: 127.0.0.1:0\ntransport_url: ${url.href}\n`
    await using hub = await HubProcess.start({ config })
    assert.equal(await hub.exit(), 1)
    const output = hub.stdout + hub.stderr
    assert.match(output, /the server refuses the token/)
    assert.doesNotMatch(output, /wrong-one|listening/)
  })

  test('a role without the rights', () =>
    refuses(
      urlOf('other'),
      /the token's role lacks a right to persistent:\/\/public\/default\/test-[\d-]+ \(Not authorized\); run: pulsar-admin namespaces grant-permission public\/default --role ROLE --actions produce,consume/,
    ))

  test('a role with just these rights, which is told what it cannot see to', async () => {
    const { logged } = await works(urlOf('hub'))
    assert.ok(
      logged.some(({ message }) =>
        /Pulsar forgets.*run: pulsar-admin topicPolicies set-retention persistent:/.test(message),
      ),
    )
  })

  test('a namespace that is not there', () =>
    refuses(urlOf('admin', { topic: 'public/nowhere/mercure' }), /there is no namespace public\/nowhere/))

  test('a topic with partitions, with the admin API and without', async () => {
    await server.admin('PUT', 'persistent/public/default/split/partitions', 3)
    await refuses(urlOf('admin', { topic: 'split' }), /split has 3 partitions, and with them no order/)
    const nowhere = 'http://127.0.0.1:1'
    await refuses(
      urlOf('admin', { topic: 'split', admin_url: nowhere }),
      /split has partitions, and with them no order/,
    )
  })

  test('no WebSocket API there', async () => {
    await using hub = await startHub()
    const url = urlOf('admin')
    url.port = new URL(hub.url).port
    await refuses(url, /there is no WebSocket API \(Not Found\); set webSocketServiceEnabled=true/)
  })

  test('TLS: with a certificate that is trusted, one that is not, and none', async () => {
    const secured = (options: Readonly<Record<string, string>> = {}) => {
      const url = newTopic(new URL(`pulsar+wss://localhost:${server.tlsPort}`), options)
      url.searchParams.set('token', tokens.admin)
      return url
    }
    await works(secured())
    await works(secured({ tls_ca_file: certificate.certFile }))
    // That process has not been told to trust it.
    const config = `jwt_key: ${'k'.repeat(64)}\naddr: 127.0.0.1:0\ntransport_url: ${secured().href}\n`
    await using hub = await HubProcess.start({ config })
    assert.equal(await hub.exit(), 1)
    assert.match(hub.stdout + hub.stderr, /no TLS connection \(DEPTH_ZERO_SELF_SIGNED_CERT\).*tls_ca_file=/s)
    const plain = secured()
    plain.port = String(server.port)
    await refuses(plain, /no TLS connection \(.*\): the server does not speak TLS there/)
  })

  test('a file of the authority that is none', async () => {
    const secured = newTopic(new URL(`pulsar+wss://localhost:${server.tlsPort}`), { token: tokens.admin })
    for (const [file, sentence] of [
      ['/nowhere/ca.pem', /pulsar: tls_ca_file: "\/nowhere\/ca.pem" cannot be read \(ENOENT\)/],
      ['/', /pulsar: tls_ca_file: "\/" cannot be read \(EISDIR\)/],
      [certificate.keyFile, /pulsar: tls_ca_file: ".*" has no certificate/],
    ] as const) {
      secured.searchParams.set('tls_ca_file', file)
      await assert.rejects(TestLog.open(secured), { code: 'configuration_invalid', message: sentence })
    }
  })

  test('looked at and filled without a hub', async () => {
    const url = urlOf('admin')
    await assert.rejects(openArchive(url, { writable: false, log: silent }), /There is no log in the topic persistent:/)
    {
      await using log = await TestLog.start(url)
      await log.publish({ id: 'a', data: 'x' })
      await log.publish({ id: 'b', data: '', private: true })
    }
    for (const admin of [undefined, 'http://127.0.0.1:1']) {
      if (admin !== undefined) url.searchParams.set('admin_url', admin)
      const archive = await openArchive(url, { writable: false, log: silent })
      const updates = (await Array.fromAsync(archive.read())).flat()
      assert.deepEqual(
        updates.map(({ update }) => [update.id, update.data, update.private]),
        [
          ['a', 'x', false],
          ['b', '', true],
        ],
      )
      assert.ok(updates.every(({ timeMs }) => Math.abs(timeMs! - Date.now()) < 600_000))
      await archive.close()
    }
    const other = urlOf('admin')
    const copy = await openArchive(other, { writable: true, log: silent })
    const updates = ['c', 'd', 'e'].map(id => createTestUpdate({ id }))
    assert.equal(await copy.append!(updates.map((update, i) => ({ update, timeMs: 1000 + i }))), 0)
    await copy.close()
    const again = await openArchive(other, { writable: false, log: silent })
    assert.deepEqual(
      (await Array.fromAsync(again.read())).flat(),
      updates.map((update, i) => ({ update, timeMs: 1000 + i })),
    )
    await again.close()
    url.port = '1'
    await assert.rejects(
      openArchive(url, { writable: false, log: silent }),
      /Pulsar cannot be used: connect ECONNREFUSED/,
    )
  })
})
