import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { assertRefused, loadOf, redis, shared, volumeOf } from '../support/chart.ts'
import { noHelm, type Rendering, type Resource, render } from '../support/helm.ts'
import { Cluster } from '../support/kubernetes-api.ts'
import { testKey } from '../support/token.ts'

describe('the secrets of the chart', { skip: noHelm }, () => {
  const keyOf = (rendering: Rendering) => Buffer.from(rendering.one('Secret').data.jwt_key, 'base64').toString()

  test('have a key of their own for each release', async () => {
    const [one, other] = await Promise.all([render(), render()])
    for (const rendering of [one, other]) assert.match(keyOf(rendering), /^[A-Za-z0-9]{64}$/)
    assert.notEqual(keyOf(one), keyOf(other))
    assert.equal(one.one('Secret').metadata.annotations['helm.sh/resource-policy'], 'keep')
    assert.deepEqual((await loadOf(one)).config.keys.publisher, { key: keyOf(one), algorithm: 'HS256' })
    assert.deepEqual((await loadOf(one)).warnings, [])
  })

  test('keep the key of the release that is upgraded', async () => {
    await using cluster = await Cluster.start({ 'hub-talaria': { jwt_key: testKey } })
    assert.equal(keyOf(await render({}, cluster.args)), testKey)
    assert.equal(keyOf(await render(shared, cluster.args)), testKey)
    assert.ok(cluster.asked.has('hub-talaria'))
  })

  test('have no key where the configuration says how to verify', async () => {
    const told = [
      { jwt_key: testKey },
      { publisher_jwks_url: 'https://issuer.example/jwks' },
      { issuers: [{ id: 'https://issuer.example' }] },
    ]
    for (const config of told) {
      const rendering = await render({ config })
      assert.ok(!rendering.all('Secret').some(({ data }) => data?.jwt_key), rendering.text)
      assert.equal(rendering.container.env, undefined)
    }
  })

  test('are those that exist, of which the keys are taken that are named', async () => {
    const secrets = { existing: 'mine', keys: ['publisher_jwt_key', 'transport_url'] }
    const rendering = await render({ secrets })
    assert.deepEqual(rendering.all('Secret'), [])
    assert.deepEqual(
      rendering.container.env.map(({ name }: Resource) => name),
      ['PUBLISHER_JWT_KEY_FILE', 'TRANSPORT_URL_FILE'],
    )
    const { secretName, items } = volumeOf(rendering.pod, 'secrets').secret
    assert.deepEqual([secretName, items.map(({ key }: Resource) => key)], ['mine', secrets.keys])
    await assertRefused({ secrets: { existing: 'mine', keys: ['cert'] } }, /keys/)
  })

  test('are not given twice', async () => {
    const existing = { secrets: { existing: 'mine', keys: ['jwt_key', 'transport_url'] } }
    await assertRefused({ ...existing, ...shared }, /put the URL into the Secret mine as transport_url/)
    await assertRefused({ ...existing, config: { jwt_key: testKey } }, /jwt_key is in config and in secrets\.keys/)
    await assertRefused({ ...existing, config: { transport_url: redis } }, /transport_url is in config and in/)
    await assertRefused({ ...shared, config: { transport_url: redis } }, /transportUrl and config\.transport_url/)
    await assertRefused(
      { tls: { existingSecret: 't' }, config: { cert_file: 'a', key_file: 'b' } },
      /tls\.existingSecret and config\.cert_file/,
    )
  })
})
