import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exitCodeOf, formatReport, type Report } from '../../src/cli/bench/report.ts'
import { readOptions } from '../../src/cli/bench.ts'
import { createCertificate } from '../support/certificate.ts'
import { startHub } from '../support/hub.ts'
import { bench, benchDefaults, runBenchCommand, startStranger } from '../support/load.ts'
import { startProxy } from '../support/proxy.ts'
import { publisherToken, subscriberToken, testKey } from '../support/token.ts'

test('every delivery of a real hub is counted', async () => {
  await using hub = await startHub()
  for (const options of [{}, { topics: '3' }, { match: 'match', rate: '200' }, { key: testKey, size: '5000' }]) {
    const report = await bench(hub.url, options)
    const { streams, publishes, deliveries } = report
    assert.ok(exitCodeOf(report) === 0, JSON.stringify(report))
    assert.deepEqual([streams.opened, streams.refused, streams.ended, publishes.failed], [6, 0, 0, 0])
    assert.ok(publishes.stored > 1)
    assert.equal(deliveries.received, (publishes.stored * 6) / report.topics)
    for (const { perSecond, latencyMs } of [publishes, deliveries]) {
      assert.ok(perSecond > 0 && latencyMs !== null)
      const { p50, p95, p99, max } = latencyMs
      assert.ok(0 < p50 && p50 <= p95 && p95 <= p99 && p99 <= max, JSON.stringify(latencyMs))
    }
    assert.match(formatReport(report), /^http.*\n\nstreams {5}6 opened at [\s\S]*0 lost, 0 duplicated, 0 out of order/)
  }
})

test('the rate is kept, and not gone beyond', async () => {
  await using hub = await startHub()
  const report = await bench(hub.url, { rate: '100', duration: '500ms', publishers: '4' })
  assert.ok(report.publishes.stored > 1 && report.publishes.stored <= 50, `${report.publishes.stored}`)
})

test('publishers alone and subscribers alone', async () => {
  await using hub = await startHub()
  const publishing = await bench(hub.url, { subscribers: '0' })
  assert.ok(exitCodeOf(publishing) === 0 && publishing.publishes.stored > 0)
  assert.doesNotMatch(formatReport(publishing), /streams|deliveries/)
  const listening = await bench(hub.url, { publishers: '0', duration: '1ms' })
  assert.ok(exitCodeOf(listening) === 0 && listening.streams.opened === 6)
  assert.doesNotMatch(formatReport(listening), /publishes|deliveries/)
})

test('HTTPS, with a certificate that is trusted or not looked at', async () => {
  await using certificate = await createCertificate()
  await using hub = await startHub({ cert_file: certificate.certFile, key_file: certificate.keyFile })
  const report = await bench(hub.url, { insecure: true })
  assert.ok(
    exitCodeOf(report) === 0 && report.deliveries.received === report.publishes.stored * 6,
    JSON.stringify(report),
  )
})

test("a hub that refuses is quoted, and a publisher's refusals do not count as losses", async () => {
  await using hub = await startHub({ allow_anonymous: false })
  await assert.rejects(bench(hub.url, { token: await publisherToken('other') }), {
    message: /: publishing: 401 topic_not_granted: /,
  })
  await assert.rejects(bench(hub.url, { token: 'nonsense' }), {
    message: /: subscribing: 401 authorization_malformed: /,
  })
  await assert.rejects(bench(`${hub.url}/nowhere`), { message: /: subscribing: 404 not_found: / })
  await assert.rejects(bench('http://127.0.0.1:1'), { message: /: subscribing: connect ECONNREFUSED 127\.0\.0\.1:1$/ })

  // The second of two topics is refused.
  const token = await publisherToken('t/1')
  const report = await bench(hub.url, { topic: 't', topics: '2', token, publishers: '1', duration: '1s' })
  assert.ok(report.publishes.failed > 0 && report.publishes.stored > 0)
  assert.equal(report.lost, 0)
  assert.equal(report.deliveries.received, report.publishes.stored * 3)
  const [error, ...others] = report.errors
  assert.match(error?.what ?? '', /^publishing: 401 topic_not_granted: /)
  assert.deepEqual([error?.count, others], [report.publishes.failed, []])
})

test('subscribers may have a token of their own', async () => {
  await using hub = await startHub({ allow_anonymous: false })
  const report = await bench(hub.url, { subscriberToken: await subscriberToken([]) })
  assert.ok(exitCodeOf(report) === 0, JSON.stringify(report))
})

test('streams that break are told of, and what others publish is not counted', async () => {
  await using hub = await startHub()
  await using proxy = await startProxy(hub.url)
  const stream = await hub.subscribe('topic=shared')
  const stop = new AbortController()
  const running = bench(proxy.url, { topic: 'shared', duration: '1h', rate: '100' }, { stop: stop.signal })
  await stream.take()
  await hub.publish({ topic: 'shared', data: '~1.0.7.1~ a stranger' })
  await stream.take(20)
  proxy.cut()
  // The publishers come back, the streams do not.
  await stream.take(20)
  stop.abort()
  const report = await running
  assert.deepEqual([report.streams.opened, report.streams.ended, report.interrupted], [6, 6, true])
  assert.equal(report.duplicated + report.outOfOrder, 0)
  assert.equal(exitCodeOf(report), 2)
  assert.match(
    formatReport(report),
    /6 opened at [\d,]+\/s, 6 ended early[\s\S]*errors {6}6 × a stream: [\s\S]*Interrupted/,
  )
})

test('a hub that does not answer holds nothing up', async () => {
  await using stranger = await startStranger()
  for (const rate of ['max', '100']) {
    const report = await bench(`http://${stranger.host}`, { subscribers: '0', duration: '20ms', wait: '20ms', rate })
    assert.deepEqual([report.publishes.stored, report.publishes.failed], [0, 1])
    assert.deepEqual(report.errors, [{ what: 'publishing: no answer', count: 1 }])
    assert.equal(exitCodeOf(report), 1)
  }
})

test('Ctrl-C prints what was measured, and the exit code says whether it was flawless', async () => {
  await using hub = await startHub()
  const stream = await hub.subscribe('topic=mine')
  const args = [hub.url, '--key', testKey, '--topic', 'mine', '--duration', '1h', '--json']
  const { code, stdout } = await runBenchCommand(args, stream.take())
  const report = JSON.parse(stdout) as Report
  assert.deepEqual([code, report.interrupted, report.lost, report.errors], [0, true, 0, []])
  assert.equal(report.deliveries.received, report.publishes.stored * 100)
})

test('a client that was busy all the time says so', async () => {
  await using hub = await startHub()
  const report = await bench(hub.url)
  assert.ok(report.client.utilization > 0 && report.client.utilization <= 1)
  assert.match(
    formatReport({ ...report, client: { utilization: 0.97, saturated: true } }),
    /This client was busy 97 % of the time/,
  )
})

test('options that make no sense are refused by name', async () => {
  for (const [url, options, message] of [
    ['the hub', {}, /"the hub" is not the URL of a hub: write http:/],
    ['127.0.0.1:3000', {}, /"127\.0\.0\.1:3000" is not .* Did you mean http:\/\/127\.0\.0\.1:3000\?$/],
    ['localhost:5477', {}, /Did you mean http:\/\/localhost:5477\?$/],
    ['[::1]:5477/hub', {}, /Did you mean http:\/\/\[::1\]:5477\/hub\?$/],
    ['hub.example.com', {}, /Did you mean https:\/\/hub\.example\.com\?$/],
    ['http://x', { subscribers: '-1' }, /--subscribers "-1" is not a number of 0 or more/],
    ['http://x', { topics: '0' }, /--topics "0" is not a number of 1 or more/],
    ['http://x', { rate: '0' }, /--rate "0" is neither "max"/],
    ['http://x', { duration: '10' }, /--duration: "10" has no unit/],
    ['http://x', { duration: '1000h' }, /--duration: "1000h" is longer than 576h/],
    ['http://x', { duration: '0s' }, /--duration: "0s" leaves no time to publish/],
    ['http://x', { wait: '1000h' }, /--wait: "1000h" is longer than 576h/],
    ['http://x', { key: '@/nowhere/at/all' }, /^--key: the file after the @ cannot be read: there is no such file\./],
    ['http://x', { size: 'big' }, /--size: "big" is not a size/],
    ['http://x', { subscribers: '0', publishers: '0' }, /there is nothing to do/],
    ['http://x', { token: 'a\nb' }, /--token has characters/],
    ['http://x', { token: 'a', key: 'b' }, /--key mints a token/],
  ] as const) {
    await assert.rejects(readOptions(url, { ...benchDefaults, ...options }), { code: 'configuration_invalid', message })
  }
})

test('times are whole milliseconds, and streams get some to open in any case', async () => {
  const read = (duration: string, wait: string) => readOptions('http://x', { ...benchDefaults, duration, wait })
  const { durationMs, patienceMs, connectPatienceMs } = await read('1.5ms', '0')
  assert.deepEqual([durationMs, patienceMs, connectPatienceMs], [2, 0, 5000])
  assert.equal((await read('1s', '20s')).connectPatienceMs, 20_000)
})
