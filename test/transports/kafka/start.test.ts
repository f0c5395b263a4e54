import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { after, describe, test } from 'node:test'
import { ConfigResourceTypes } from '@platformatic/kafka'
import { createCertificate } from '../../support/certificate.ts'
import { startHub } from '../../support/hub.ts'
import { newTopic } from '../../support/kafka.ts'
import { TestLog } from '../../support/log.ts'
import { HubProcess } from '../../support/process.ts'
import { freePort } from '../../support/services/free-port.ts'
import { KafkaServer, noKafkaProgram } from '../../support/services/kafka.ts'

/** Of Kafka's protocol, as the names say. */
const topicResource = 2
const [prefixed, allow] = [4, 3] as const
const operations = { read: 3, write: 4, create: 5, describe: 8 } as const

describe('a Kafka on which a log is to be kept', { skip: noKafkaProgram }, async () => {
  if (noKafkaProgram !== false) return
  const certificate = await createCertificate()
  const server = await KafkaServer.start({
    users: { hub: 'hunter2', limited: 'hunter2' },
    certificate,
    settings: [
      'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users=User:ANONYMOUS;User:hub',
    ],
  })
  const admin = server.admin()
  after(async () => {
    await server[Symbol.asyncDispose]()
    await certificate[Symbol.asyncDispose]()
  })

  /** A log that is not there yet, at one of the ports. */
  const urlAt = (port: 'plain' | 'sasl' | 'tls', options: Readonly<Record<string, string | number>> = {}): URL =>
    newTopic(new URL('kafka://kafka'), { addr: `localhost:${server.ports[port]}`, ...options })
  const topicOf = (url: URL): string => url.searchParams.get('topic')!
  const works = async (url: URL) => {
    await using log = await TestLog.start(url)
    await log.publish({ id: 'a' })
    await log.send('m')
    await log.delivers('a')
    await log.until(() => log.messages.length > 0)
    await log.transport.ready!()
    assert.deepEqual(await log.all(), ['a'])
  }
  const refuses = async (url: URL, sentence: RegExp) => {
    await using log = await TestLog.open(url)
    await assert.rejects(log.start(), error => {
      assert.match(String(error), sentence)
      const told = JSON.stringify(log.logged) + String(error) + JSON.stringify(error) + (error as Error).stack
      assert.doesNotMatch(told, /hunter2|wrong-one/)
      return (error as { code: string }).code === 'configuration_invalid'
    })
  }
  const grant = async (topic: string, names: readonly (keyof typeof operations)[]) => {
    const creations = names.map(operation => ({
      ...{ resourceType: topicResource, resourceName: topic, resourcePatternType: prefixed, host: '*' },
      ...{ principal: 'User:limited', operation: operations[operation], permissionType: allow },
    }))
    await admin.createAcls({ creations: creations as never })
  }

  for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512']) {
    const credentials = { user: 'hub', mechanism }
    test(`${mechanism}: the right password`, () => works(urlAt('sasl', { ...credentials, password: 'hunter2' })))
    test(`${mechanism}: a wrong one`, () =>
      refuses(
        urlAt('sasl', { ...credentials, password: 'wrong-one' }),
        /the broker refuses user and password; write user=/,
      ))
  }

  test('TLS, with a user', () => works(urlAt('tls', { user: 'hub', password: 'hunter2', tls: 1 })))

  test('no user where one is asked for', () =>
    refuses(urlAt('sasl'), /the broker asks for user and password at that port; add user=…&password=…/))

  test('a user where none is asked for', () =>
    refuses(urlAt('plain', { user: 'hub', password: 'hunter2' }), /the broker asks for no user and password/))

  test('TLS where none is spoken', () =>
    refuses(urlAt('plain', { tls: 1 }), /does not speak TLS there; leave out tls=1/))

  test('none where TLS is spoken', () => refuses(urlAt('tls'), /the broker speaks TLS there; add tls=1/))

  test('a certificate that is not trusted, and a wrong password: the hub does not start', async () => {
    for (const [url, sentence] of [
      [urlAt('tls', { tls: 1 }), /no TLS connection \(DEPTH_ZERO_SELF_SIGNED_CERT\).*NODE_EXTRA_CA_CERTS/s],
      [urlAt('sasl', { user: 'hub', password: 'wrong-one' }), /the broker refuses user and password/],
    ] as const) {
      const config = `jwt_key: ${'k'.repeat(64)}\naddr: 127.0.0.1:0\ntransport_url: ${JSON.stringify(url.href)}\n`
      await using hub = await HubProcess.start({ config })
      assert.equal(await hub.exit(), 1)
      const output = hub.stdout + hub.stderr
      assert.match(output, sentence)
      assert.doesNotMatch(output, /wrong-one|listening/)
    }
  })

  test('several brokers are named, and only the last is there', async () => {
    const url = newTopic(new URL('kafka://kafka'), { addr: `127.0.0.1:${await freePort()}` })
    url.searchParams.append('addr', `127.0.0.1:${server.ports.plain}`)
    await works(url)
  })

  test('a user without the rights, and with just those that the sentence names', async () => {
    const url = urlAt('sasl', { user: 'limited', password: 'hunter2' })
    const topic = topicOf(url)
    await refuses(url, /the user lacks a right to the topic; grant Describe, Read and Write/)
    await grant(topic, ['describe', 'read', 'write'])
    await refuses(url, /there is no topic test-[\d-]+, and the user may not create it; grant Create, or create/)
    await admin.createTopics({ topics: [topic, `${topic}.presence`], partitions: 1, replicas: 1 })
    await works(url)
  })

  test('a user that may create topics of this name', async () => {
    const url = urlAt('sasl', { user: 'limited', password: 'hunter2' })
    await grant(topicOf(url), ['describe', 'read', 'write', 'create'])
    await works(url)
  })

  test('a topic of several partitions, and what may be done about it', async () => {
    const url = urlAt('plain')
    await admin.createTopics({ topics: [topicOf(url)], partitions: 3, replicas: 1 })
    await refuses(url, /the topic test-[\d-]+ has 3 partitions, and a log has one order; .* partitions=any/)
    url.searchParams.set('partitions', 'any')
    await works(url)
  })

  test('a topic that is compacted', async () => {
    const url = urlAt('plain')
    const configs = [{ name: 'cleanup.policy', value: 'compact' }]
    await admin.createTopics({ topics: [topicOf(url)], partitions: 1, replicas: 1, configs })
    await refuses(url, /cleanup\.policy=compact, which drops updates from the middle of the log; set it to delete/)
  })

  test('a port of a controller is not taken for an old broker', () =>
    refuses(
      newTopic(new URL('kafka://kafka'), { addr: `127.0.0.1:${server.ports.controller}` }),
      /what answers there takes no updates; it may be the port of a controller/,
    ))

  test('what ends the connection is named', async () => {
    const stranger = createServer(socket => socket.on('error', () => {}).once('data', () => socket.destroy()))
    await once(stranger.listen(0, '127.0.0.1'), 'listening')
    const { port } = stranger.address() as AddressInfo
    await using log = await TestLog.open(newTopic(new URL('kafka://kafka'), { addr: `127.0.0.1:${port}` }))
    const started = assert.rejects(log.start(), { code: 'transport_unavailable' })
    await log.logs(new RegExp(`the connection was closed without an answer, at 127\\.0\\.0\\.1:${port}`))
    await log.transport.close()
    await started
    stranger.close()
  })

  test('more replicas than there are brokers', () =>
    refuses(urlAt('plain', { replication: 3 }), /replication: the cluster has not so many brokers/))

  test('the topic is made with the bounds that are asked for; another one keeps its own, and is told of', async () => {
    const url = urlAt('plain', { max_age: '24h', size_bytes: '80MB', replication: 1 })
    await works(url)
    const resources = [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topicOf(url) }]
    const descriptions = await admin.describeConfigs({ resources })
    const settings = Object.fromEntries(descriptions[0]!.configs.map(({ name, value }) => [name, value]))
    assert.equal(settings['retention.ms'], String(24 * 3600 * 1000))
    assert.equal(settings['retention.bytes'], '80000000')
    assert.equal(settings['segment.ms'], String(3 * 3600 * 1000))
    assert.equal(settings['segment.bytes'], '10000000')
    url.searchParams.set('max_age', '1h')
    await using log = await TestLog.start(url)
    await log.logs(/The topic was made with another bound/)
  })

  test('an update that is larger than the topic takes is refused for good, and those after it are stored', async () => {
    const url = urlAt('plain')
    const configs = [{ name: 'max.message.bytes', value: '20000' }]
    await admin.createTopics({ topics: [topicOf(url)], partitions: 1, replicas: 1, configs })
    await using log = await TestLog.start(url)
    const data = 'x'.repeat(5000)
    const published = Array.from({ length: 20 }, (_, i) => log.publish({ id: `id-${i}`, data }))
    await assert.rejects(log.publish({ id: 'large', data: 'x'.repeat(20_000) }), {
      code: 'body_too_large',
      message: /takes 20000 bytes \(max\.message\.bytes\)/,
    })
    await Promise.all([...published, log.publish({ id: 'next' })])
    await log.delivers('next')
    assert.equal(log.ids.length, 21)
    await log.transport.ready!()
  })
})

describe('a Kafka that is not there yet', { skip: noKafkaProgram }, () => {
  test('the hub answers that it lives and is not ready, and starts when Kafka does', async () => {
    await using server = await KafkaServer.prepare()
    await using hub = await startHub({ transport_url: newTopic(server.url).href })
    assert.equal((await hub.fetch('/healthz')).status, 200)
    const notReady = await hub.fetch('/readyz')
    assert.equal(notReady.status, 503)
    assert.match(await notReady.text(), /Kafka cannot be used: connect ECONNREFUSED/)
    await server.run()
    await hub.running.attached
    assert.equal((await hub.fetch('/readyz')).status, 200)
    const stream = await hub.subscribe('topic=*')
    const id = await hub.publish({ topic: 'https://example.com/a', data: 'x' })
    assert.equal((await stream.take())[0]?.id, id)
  })
})
