import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { suite, test } from 'node:test'
import { startHub, type TestHub } from '../support/hub.ts'
import { HubProcess } from '../support/process.ts'
import { SpanCollector } from '../support/span-collector.ts'
import { testKey } from '../support/token.ts'
import { WorkersHub, withHook } from '../support/workers.ts'

/** Of OpenTelemetry: as many spans are sent at once, as soon as they are there. Each publish has two. */
const publishesPerBatch = 256

const warnings = ({ logs }: TestHub) => logs.filter(({ level }) => level === 40)

suite('a collector', { concurrency: 2 }, () => {
  test('that takes no spans is spoken of once, and once when it takes them again; publishers notice nothing', async () => {
    await using collector = await SpanCollector.start()
    await using hub = await startHub({ tracing: true, tracing_endpoint: collector.url })
    const publish = async () => {
      for (let i = 0; i < publishesPerBatch; i++) await hub.publish({ topic: 'a' })
    }
    collector.status = 400
    for (const request of [1, 2]) {
      await publish()
      await collector.requests(request)
    }
    collector.status = 200
    await publish()
    const { msg } = await hub.logged(({ msg }) => /takes spans again/.test(String(msg)))
    assert.equal(msg, `${collector.url.slice('http://'.length)}/v1/traces takes spans again`)
    assert.deepEqual(
      warnings(hub).map(({ msg }) => msg),
      [`${collector.url.slice('http://'.length)}/v1/traces takes no spans: they are dropped until it does`],
    )
    assert.equal(collector.spans.length, 2 * publishesPerBatch)
  })

  test('that nobody reaches delays no publisher, and the end of the hub by no more than it has', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    server.close()
    const hub = await startHub({ tracing: true, tracing_endpoint: `http://127.0.0.1:${port}` })
    const stream = await hub.subscribe('topic=a')
    const id = await hub.publish({ topic: 'a' })
    assert.equal((await stream.take())[0]?.id, id)
    await hub.close()
    assert.equal(warnings(hub).length, 1)
    assert.match(String(warnings(hub)[0]?.msg), /spans were not taken by 127\.0\.0\.1:\d+\/v1\/traces in time/)
  })

  test('gets the spans of every worker, each as an instance of its own', async () => {
    await using collector = await SpanCollector.start()
    {
      await using hub = await WorkersHub.start(`tracing: true\ntracing_endpoint: ${collector.url}`)
      await hub.subscribeAtEach('topic=a')
      assert.ok(await hub.publish({ topic: 'a' }))
      hub.process.signal('SIGTERM')
      assert.equal(await hub.process.exit(), 0)
    }
    const instances = new Set(
      collector.named('mercure.subscribe').map(({ resource }) => resource['service.instance.id']),
    )
    assert.equal(instances.size, 2)
    const publish = collector.one('mercure.publish')
    assert.equal(collector.one('mercure.transport.publish').parentSpanId, publish.spanId)
  })
})

/** Tells which of the packages are asked for. prom-client has @opentelemetry/api loaded in any case. */
const tellLoads = `import { registerHooks } from 'node:module'
registerHooks({ resolve(name, context, next) {
  if (/^@opentelemetry\\/(?!api$)/.test(name)) process.stderr.write(name + '\\n')
  return next(name, context)
} })`

test('a hub that is not told to trace loads nothing for it', async () => {
  for (const isTraced of [true, false]) {
    const config = `addr: 127.0.0.1:0\njwt_key: ${testKey}\ntransport_url: local://local\nlog_format: JSON\ntracing: ${isTraced}`
    await using hub = await HubProcess.start({ command: withHook(tellLoads), config })
    await hub.url()
    hub.signal('SIGKILL')
    await hub.exit()
    assert.equal(hub.stderr.includes('@opentelemetry/sdk-trace\n'), isTraced)
    if (!isTraced) assert.equal(hub.stderr, '')
  }
})
