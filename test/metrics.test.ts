import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { suite, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Settings, startHub, type TestHub } from './support/hub.ts'
import { newStream } from './support/redis.ts'
import { noRedisProgram, RedisServer } from './support/services/redis.ts'

const start = (settings: Settings): Promise<TestHub> =>
  startHub({ metrics_enabled: true, metrics_addr: '', subscriptions: true, ...settings })

/** The samples, by name and labels as they stand there. */
async function read(hub: TestHub): Promise<(name: string) => number> {
  const text = await (await hub.fetch('/metrics')).text()
  const samples = new Map([...text.matchAll(/^([^#\s].*) (\S+)$/gm)].map(match => [match[1]!, Number(match[2])]))
  return name => {
    assert.ok(samples.has(name), `${name} is not there`)
    return samples.get(name)!
  }
}

/** Resolves when a figure is as it should be: fails by the test's time-out. */
async function until(hub: TestHub, condition: (value: (name: string) => number) => boolean): Promise<void> {
  while (!condition(await read(hub))) await nextTurn()
}

test('what an update does: stored, fanned out, written to the first and to the last', async () => {
  await using hub = await start({})
  const before = await read(hub)
  for (const name of [
    'talaria_publish_seconds_count',
    'talaria_fan_out_subscribers_count',
    'talaria_delivery_first_seconds_count',
    'talaria_delivery_last_seconds_count',
    'talaria_transport_lag_seconds_count',
    'mercure_updates_total',
    'talaria_deliveries_total',
  ])
    assert.equal(before(name), 0, name)
  const streams = await Promise.all(['a', 'a', 'b'].map(topic => hub.subscribe(`topic=${topic}`)))
  // The three have been announced: updates as well, to nobody.
  await until(hub, value => value('talaria_fan_out_subscribers_count') === 3)
  await hub.publish({ topic: 'a' })
  await hub.publish({ topic: 'nobody' })
  await Promise.all(streams.slice(0, 2).map(stream => stream.take()))
  const value = await read(hub)
  assert.equal(value('mercure_updates_total'), 2)
  assert.equal(value('talaria_publish_seconds_count'), 2)
  assert.equal(value('talaria_publish_seconds_bucket{le="10"}'), 2)
  assert.equal(value('talaria_fan_out_subscribers_count'), 5)
  assert.equal(value('talaria_fan_out_subscribers_bucket{le="0"}'), 4)
  assert.equal(value('talaria_fan_out_subscribers_bucket{le="1"}'), 4)
  assert.equal(value('talaria_fan_out_subscribers_bucket{le="10"}'), 5)
  assert.equal(value('talaria_fan_out_subscribers_sum'), 2)
  assert.equal(value('talaria_deliveries_total'), 2)
  assert.equal(value('talaria_delivery_first_seconds_count'), 1)
  assert.equal(value('talaria_delivery_last_seconds_count'), 1)
  assert.ok(value('talaria_delivery_last_seconds_sum') >= value('talaria_delivery_first_seconds_sum'))
  // A log in memory has no clock but ours.
  assert.equal(value('talaria_transport_lag_seconds_count'), 0)
})

test('what a subscriber brings: connections, presence, the memory of what was published', async () => {
  const begun = Date.now()
  await using hub = await start({ transport_url: 'local://local?size=3' })
  const one = await hub.subscribe('topic=a&topic=b')
  await hub.subscribe('topic=a')
  const value = await read(hub)
  assert.equal(value('mercure_subscribers_connected'), 2)
  assert.equal(value('mercure_subscribers_total'), 2)
  assert.equal(value('talaria_presence_subscribers'), 2)
  assert.equal(value('talaria_presence_subscriptions'), 3)
  assert.equal(value('talaria_nodes'), 1)
  assert.equal(value('talaria_ready'), 1)
  assert.equal(value('talaria_recent_updates'), 3)
  assert.ok(value('talaria_recent_bytes') > 0)
  assert.equal(value('talaria_waiting_bytes_limit'), 256 << 20)
  const { version } = process
  const { default: manifest } = await import('../package.json', { with: { type: 'json' } })
  assert.equal(value(`talaria_info{version="${manifest.version}",transport="local",node="${version}"}`), 1)
  const startedAt = value('talaria_start_time_seconds') * 1000
  assert.ok(startedAt >= begun && startedAt <= Date.now())
  one.close()
  await until(hub, value => value('mercure_subscribers_connected') === 1)
  const left = await read(hub)
  assert.equal(left('talaria_streams_ended_total{reason="client closed"}'), 1)
  assert.equal(left('talaria_presence_subscriptions'), 1)
})

test('who comes back: found in the window, or nowhere, and what was sent of the past', async () => {
  await using hub = await start({ subscriptions: false })
  const ids: string[] = []
  for (let i = 0; i < 20; i++) ids.push(await hub.publish({ topic: 'a' }))
  await (await hub.subscribe(`topic=a&last_event_id=${ids[4]}`)).take(15)
  await (await hub.subscribe('topic=a&last_event_id=earliest')).take(20)
  await hub.subscribe('topic=a&last_event_id=never-there')
  await hub.subscribe('topic=a')
  await until(hub, value => value('talaria_replay_updates_count') === 2)
  const value = await read(hub)
  assert.equal(value('talaria_resumptions_total{from="window"}'), 2)
  assert.equal(value('talaria_resumptions_total{from="log"}'), 0)
  assert.equal(value('talaria_resumptions_total{from="nowhere"}'), 1)
  assert.equal(value('talaria_replay_updates_sum'), 35)
  assert.equal(value('talaria_replay_updates_bucket{le="10"}'), 0)
  assert.equal(value('talaria_replay_seconds_count'), 2)
  assert.equal(value('talaria_subscribers_replaying'), 0)
})

test('a reader that leaves its bytes: how much waits, for whom, and its end', async () => {
  await using hub = await start({ max_queue_bytes: '64MiB', dispatch_timeout: '0s' })
  const reader = connect(Number(new URL(hub.url).port), '127.0.0.1')
  reader.write('GET /.well-known/mercure?topic=a HTTP/1.1\r\nHost: hub.example\r\n\r\n')
  await new Promise(resolve => reader.once('data', resolve))
  reader.pause()
  for (let i = 0; i < 20; i++) await hub.publish({ topic: 'a', data: 'x'.repeat(1_000_000) })
  await until(hub, value => value('talaria_subscribers_waiting') === 1)
  const value = await read(hub)
  assert.ok(value('talaria_waiting_bytes') > 1_000_000)
  assert.ok(value('talaria_longest_queue_bytes') > 1_000_000)
  reader.destroy()
  await until(hub, value => value('talaria_subscribers_waiting') === 0)
  assert.equal((await read(hub))('talaria_waiting_bytes'), 0)
  assert.equal((await read(hub))('talaria_longest_queue_bytes'), 0)
})

suite('on a server', { skip: noRedisProgram }, () => {
  test('lag, depth, the past out of the log, and the nodes', async () => {
    await using redis = await RedisServer.start()
    const settings = { transport_url: newStream(redis.url).href, recent: { entries: 5, bytes: '1MiB' } }
    await using one = await start(settings)
    await using other = await start(settings)
    const ids: string[] = []
    for (let i = 0; i < 20; i++) ids.push(await one.publish({ topic: 'a' }))
    await until(other, value => value('talaria_transport_lag_seconds_count') === 20)
    const value = await read(other)
    assert.equal(value('mercure_updates_total'), 0)
    assert.equal(value('talaria_history_updates'), 20)
    assert.equal(value('talaria_recent_updates'), 5)
    const stream = await other.subscribe(`topic=a&last_event_id=${ids[0]}`)
    await stream.take(19)
    await until(other, value => value('talaria_resumptions_total{from="log"}') === 1)
    for (const hub of [one, other]) {
      await until(hub, value => value('talaria_nodes') === 2 && value('talaria_presence_subscriptions') === 1)
    }
  })

  test('a log that is away: not ready, and its failures counted', async () => {
    await using redis = await RedisServer.start()
    const settings = { transport_url: newStream(redis.url).href, recent: { entries: 1, bytes: '1MiB' } }
    await using hub = await start({ ...settings, publish_timeout: '200ms' })
    const first = await hub.publish({ topic: 'a' })
    await hub.publish({ topic: 'a' })
    const before = await read(hub)
    assert.equal(before('talaria_ready'), 1)
    assert.equal(before('talaria_transport_errors_total{operation="publish"}'), 0)
    await redis.kill()
    const refused = await hub.post(new URLSearchParams({ topic: 'a' }))
    assert.equal(refused.status, 503, await refused.text())
    await until(hub, value => value('talaria_ready') === 0)
    const response = await fetch(`${hub.hubUrl}?topic=a&last_event_id=${first}`)
    assert.equal(response.status, 503, await response.text())
    const value = await read(hub)
    assert.equal(value('talaria_transport_errors_total{operation="publish"}'), 1)
    assert.equal(value('talaria_transport_errors_total{operation="history"}'), 1)
    assert.equal(value('talaria_requests_refused_total{code="transport_unavailable"}'), 2)
    await redis.run()
    await until(hub, value => value('talaria_ready') === 1)
  })
})
