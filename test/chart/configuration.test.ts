import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { assertRefused, bind, loadOf, redis, shipped, volumeOf } from '../support/chart.ts'
import { load } from '../support/configuration.ts'
import { noHelm, render } from '../support/helm.ts'
import { testKey } from '../support/token.ts'

describe('the configuration of the chart', { skip: noHelm }, () => {
  test('is mercure.yaml, word for word', async () => {
    const text = shipped
      .replace(/^addr:.*$/m, 'addr: :8080')
      .replace(/^#(shutdown_timeout|max_queue_bytes|protocol|compress):/gm, '$1:')
    const rendering = await render(`config:\n${text.replace(/^/gm, '  ')}`)
    // Where the chart has a default of its own, that of the file is another.
    const own = { METRICS_ENABLED: 'true', METRICS_ADDR: ':9764' }
    assert.deepEqual((await loadOf(rendering)).config, (await load({ yaml: text, env: own })).config)
  })

  test('keeps numbers that are long, and texts that look like numbers', async () => {
    const config = {
      jwt_key: '0123456789012345678901234567890123456789',
      recent: { entries: 123_456_789 },
      max_queue_bytes: 1e9,
    }
    const loaded = (await loadOf(await render({ config }))).config
    assert.deepEqual(loaded.keys.publisher, { key: config.jwt_key, algorithm: 'HS256' })
    assert.deepEqual([loaded.recent.entries, loaded.maxQueueBytes], [123_456_789, 1e9])
  })

  test('is in a Secret where it has keys or passwords', async () => {
    const secret = [
      { jwt_key: testKey },
      { subscriber_jwt_key: testKey },
      { transport_url: redis },
      { transport_url: 'kafka://kafka/?addr=kafka:9092&topic=t&user=u&password=hunter2' },
      { transport_url: 'pulsar+ws://pulsar:8080?topic=t&token=hunter2' },
      { issuers: [{ id: 'https://issuer.example', subscriber: { key: testKey } }] },
    ]
    for (const config of secret) {
      const { pod, all, one } = bind(await render({ config }))
      assert.deepEqual(all('ConfigMap'), [])
      assert.ok(one('Secret', 'hub-talaria-config').stringData['mercure.yaml'])
      assert.equal(volumeOf(pod, 'config').secret.secretName, 'hub-talaria-config')
    }
    const open = [
      {},
      { transport_url: 'redis://redis:6379/mercure' },
      { publisher_jwks_url: 'https://issuer.example/jwks' },
    ]
    for (const config of open) {
      const { pod, one } = bind(await render({ config }))
      assert.equal(volumeOf(pod, 'config').configMap.name, one('ConfigMap').metadata.name)
    }
  })

  test('is refused where nobody could reach the hub', async () => {
    await assertRefused({ config: { addr: '127.0.0.1:3000' } }, /config\.addr: 127\.0\.0\.1:3000 .* Write ":8080"/)
    await assertRefused({ config: { addr: 'localhost:http' } }, /config\.addr/)
    await assertRefused({ config: { addr: '[::1]:80' } }, /config\.addr/)
    await assertRefused({ config: { addr: ':0' } }, /port 0/)
    for (const [addr, port] of [
      [':http', 80],
      ['0.0.0.0:81', 81],
      ['[::]:82', 82],
      ['', 80],
      [null, 80],
    ] as const) {
      assert.equal((await render({ config: { addr } })).container.ports[0].containerPort, port, String(addr))
    }
    assert.equal(
      (await render({ config: { addr: null }, tls: { existingSecret: 't' } })).container.ports[0].containerPort,
      443,
    )
    const monitor = { serviceMonitor: { enabled: true } }
    const sentence = /config\.metrics_enabled to true/
    await assertRefused({ ...monitor, config: { metrics_enabled: false } }, sentence)
    await assertRefused({ ...monitor, config: { metrics_addr: '127.0.0.1:9764' } }, sentence)
    await assertRefused({ ...monitor, config: { metrics_addr: null } }, sentence)
  })
})
