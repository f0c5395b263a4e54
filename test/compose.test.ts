import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { readServices, type Service } from './support/compose.ts'
import { EventStream } from './support/event-stream.ts'
import { HubProcess, main, root } from './support/process.ts'
import { haproxy } from './support/proxies/programs.ts'
import { freePort } from './support/services/free-port.ts'
import { KafkaServer, noKafkaProgram } from './support/services/kafka.ts'
import { noPostgresProgram, PostgresServer } from './support/services/postgres.ts'
import { noPulsarProgram, PulsarServer } from './support/services/pulsar.ts'
import { noRedisProgram, RedisServer } from './support/services/redis.ts'
import { signToken } from './support/token.ts'

const run = promisify(execFile)

const text = await readFile(join(root, 'compose.yaml'), 'utf8')
const secrets = { JWT_KEY: 'k'.repeat(64), LOG_PASSWORD: 'hunter2'.repeat(5) }
const services = readServices(text, secrets)
const { front, 'hub-redis': hubOnRedis, 'hub-postgres': hubOnPostgres, 'hub-kafka': hubOnKafka } = services
const { 'hub-pulsar': hubOnPulsar, redis, postgres, kafka, pulsar } = services
assert.ok(front && hubOnRedis && hubOnPostgres && hubOnKafka && hubOnPulsar && redis && postgres && kafka && pulsar)

test('a secret that is missing is told with how to get one', () => {
  for (const name of Object.keys(secrets)) {
    assert.throws(() => readServices(text, { ...secrets, [name]: '' }), {
      message: new RegExp(`required variable ${name} is missing a value: set it to .*openssl rand -hex 32`),
    })
  }
})

test('every service has a health check, and no rights', () => {
  for (const [name, service] of Object.entries(services)) {
    assert.deepEqual(service.cap_drop, ['ALL'], name)
    assert.deepEqual(service.security_opt, ['no-new-privileges:true'], name)
    assert.equal(service.read_only, true, name)
    assert.match(String(service.user), /^[a-z]+$/, name)
    assert.notEqual(service.user, 'root', name)
    assert.ok(service.healthcheck.test.length > 1, name)
  }
})

test('the hubs are of the image of this checkout', () => {
  for (const hub of [hubOnRedis, hubOnPostgres, hubOnKafka]) assert.equal(hub.build, '.')
})

/** Starts the hubs as their containers would be, but where their backend and they themselves are. */
async function startHubs(t: TestContext, { command = [], environment = {}, deploy }: Service, backend: string) {
  const host = /(?:@|addr=|\/\/)([\w.]+:\d+)/.exec(environment.TRANSPORT_URL!)![1]!
  const env = { ...environment, TRANSPORT_URL: environment.TRANSPORT_URL!.replace(host, backend), ADDR: '127.0.0.1:0' }
  const hubs = await Promise.all(
    Array.from({ length: deploy!.replicas }, () =>
      HubProcess.start({ command: [process.execPath, main, ...command], env }),
    ),
  )
  t.after(() => Promise.all(hubs.map(hub => hub[Symbol.asyncDispose]())))
  return { hubs, urls: await Promise.all(hubs.map(hub => hub.url())) }
}

/** Whether the health check of a service finds what is at a URL well. */
async function isHealthy({ environment, healthcheck }: Service, url: string): Promise<boolean> {
  const [kind, program, ...args] = healthcheck.test
  assert.deepEqual([kind, program], ['CMD', 'talaria'])
  const env = { HOME: tmpdir(), ...environment, ADDR: new URL(url).host }
  return await run(process.execPath, [main, ...args], { env, cwd: tmpdir() }).then(
    () => true,
    () => false,
  )
}

async function testCluster(t: TestContext, service: Service, backend: string): Promise<void> {
  const { urls } = await startHubs(t, service, backend)
  assert.equal(urls.length, 3)
  // A hub listens before it has reached its log, where that takes a moment: it is asked again then, as Docker does.
  for (const url of urls) while (!(await isHealthy(service, url)));
  assert.equal(await isHealthy(service, `http://127.0.0.1:${await freePort()}`), false)
  const streams = await Promise.all(urls.map(url => EventStream.open(`${url}/.well-known/mercure?topic=*`)))
  const ids = []
  for (const url of urls) ids.push(await publish(url))
  for (const stream of streams) {
    assert.deepEqual(
      (await stream.take(ids.length)).map(({ id }) => id),
      ids,
    )
    stream.close()
  }
}

async function publish(url: string): Promise<string> {
  const token = await signToken({ mercure: { publish: ['*'] } }, secrets.JWT_KEY)
  const answer = await fetch(`${url}/.well-known/mercure`, {
    method: 'POST',
    body: new URLSearchParams({ topic: 'https://example.com/a', data: 'x' }),
    headers: { Authorization: `Bearer ${token}` },
  })
  assert.equal(answer.status, 200)
  return await answer.text()
}

const startRedis = async (t: TestContext): Promise<string> => {
  const [program, ...args] = redis.command!
  assert.equal(program, 'redis-server')
  const server = await RedisServer.start(...args)
  t.after(() => server[Symbol.asyncDispose]())
  return server.url.host
}

test('redis: three hubs start as they are told, are healthy, and are one', { skip: noRedisProgram }, async t => {
  await testCluster(t, hubOnRedis, await startRedis(t))
})

test('postgres: three hubs start as they are told, are healthy, and are one', { skip: noPostgresProgram }, async t => {
  const server = await PostgresServer.start()
  t.after(() => server[Symbol.asyncDispose]())
  const { POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB } = postgres.environment!
  const admin = await server.client()
  // As the image does it at its first start.
  await admin.query(`CREATE ROLE ${POSTGRES_USER} SUPERUSER LOGIN PASSWORD '${POSTGRES_PASSWORD}'`)
  await admin.query(`CREATE DATABASE ${POSTGRES_DB}`)
  await writeFile(server.accessFile, 'host all all 127.0.0.1/32 scram-sha-256\n')
  await admin.query('SELECT pg_reload_conf()')
  await testCluster(t, hubOnPostgres, server.url.host)
})

test('kafka: three hubs start as they are told, are healthy, and are one', { skip: noKafkaProgram }, async t => {
  const [port, controller] = [await freePort(), await freePort()]
  // As the image does it; but here is no container around it.
  const settings = Object.entries(kafka.environment!)
    .filter(([name]) => name.startsWith('KAFKA_') && name !== 'KAFKA_LOG_DIRS')
    .map(([name, value]) => `${name.slice('KAFKA_'.length).toLowerCase().replaceAll('_', '.')}=${value}`)
    .map(line =>
      line
        .replace(/:\/\/(kafka)?:/g, '://127.0.0.1:')
        .replaceAll('9092', `${port}`)
        .replaceAll('9093', `${controller}`),
    )
  const server = await KafkaServer.start({ settings })
  t.after(() => server[Symbol.asyncDispose]())
  await testCluster(t, hubOnKafka, `127.0.0.1:${port}`)
})

test('pulsar: three hubs start as they are told, are healthy, and are one', { skip: noPulsarProgram }, async t => {
  const server = await PulsarServer.start()
  t.after(() => server[Symbol.asyncDispose]())
  await testCluster(t, hubOnPulsar, `127.0.0.1:${server.port}`)
})

test('the front leaves out a hub that is gone', { skip: noRedisProgram || haproxy.missing }, async t => {
  const { hubs, urls } = await startHubs(t, hubOnRedis, await startRedis(t))
  const port = await freePort()
  const [, configuration = ''] = /<<END [^\n]*\n(.*)END\n/s.exec(
    (front.build as { dockerfile_inline: string }).dockerfile_inline,
  )!
  // Here is no name server that knows the hubs.
  const here = configuration
    .replace(/resolvers docker\n(?: .*\n)+/, '')
    .replace(/server-template hub 1-3 hub:3000 (.*) resolvers docker init-addr none/, (_, options) =>
      urls.map((url, i) => `server hub${i} ${new URL(url).host} ${options}`).join('\n  '),
    )
    .replace('bind :8080', `bind 127.0.0.1:${port}`)
  const directory = await mkdtemp(join(tmpdir(), 'talaria-front-'))
  t.after(() => rm(directory, { recursive: true }))
  const file = join(directory, 'haproxy.cfg')
  await writeFile(file, here)
  const program = spawn('haproxy', ['-db', '-f', file], { stdio: 'inherit' })
  t.after(() => program.kill('SIGKILL'))
  const url = `http://127.0.0.1:${port}`
  const isUp = () =>
    fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    )
  while (!(await isUp())) assert.equal(program.exitCode, null)

  const streams = await Promise.all(
    Array.from({ length: 6 }, () => EventStream.open(`${url}/.well-known/mercure?topic=*`)),
  )
  const first = await publish(url)
  for (const stream of streams) assert.equal((await stream.take())[0]?.id, first)
  hubs[0]!.signal('SIGKILL')
  await hubs[0]!.exit()
  const ids = []
  for (let i = 0; i < 6; i++) ids.push(await publish(url))
  const resumed = await EventStream.open(`${url}/.well-known/mercure?topic=*&last_event_id=${first}`)
  assert.deepEqual(
    (await resumed.take(6)).map(({ id }) => id),
    ids,
  )
  for (const stream of [...streams, resumed]) stream.close()
})
