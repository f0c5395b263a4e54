import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { assertRefused, bind, redis, shared, volumeOf } from '../support/chart.ts'
import { noHelm, render, type Values } from '../support/helm.ts'
import { Cluster } from '../support/kubernetes-api.ts'

describe('the log of the chart', { skip: noHelm }, () => {
  const single: Values[] = [
    {},
    { config: { transport_url: 'bolt://updates.db' } },
    { config: { transport_url: 'local://local?size=10' } },
    { transportUrl: 'BOLT://updates.db' },
  ]
  const many: Values[] = [
    shared,
    { transportUrl: 'postgres://user:hunter2@postgres/mercure' },
    { config: { transport_url: 'kafka://kafka/?addr=kafka:9092&topic=t' } },
    { config: { transport_url: 'pulsar+ws://pulsar:8080?topic=t' } },
    { config: { transport_url_file: '/run/secrets/mine/url' } },
    { secrets: { existing: 'mine', keys: ['jwt_key', 'transport_url'] } },
  ]

  test('of a single hub is not for several', async () => {
    const sentence =
      /replicas is 2, but (bolt|local):\/\/ is the log of a single hub: .*redis:\/\/, postgres:\/\/, kafka:\/\//
    for (const values of single) {
      await assertRefused({ ...(values as object), replicas: 2 }, sentence)
      await assertRefused({ ...(values as object), autoscaling: { enabled: true } }, /autoscaling\.enabled: /)
      const { one } = bind(await render({ ...(values as object), replicas: 1 }))
      assert.deepEqual(one('Deployment').spec.strategy, { type: 'Recreate' })
    }
  })

  test('that hubs share is', async () => {
    for (const values of many) {
      const { one } = bind(await render({ ...(values as object), replicas: 2 }))
      const { replicas, strategy } = one('Deployment').spec
      assert.deepEqual([replicas, strategy.type], [2, 'RollingUpdate'])
      assert.equal(strategy.rollingUpdate.maxUnavailable, 0)
      const scaled = bind(await render({ ...(values as object), autoscaling: { enabled: true } }))
      assert.equal(scaled.one('Deployment').spec.replicas, undefined)
      assert.equal(scaled.one('HorizontalPodAutoscaler').spec.minReplicas, 2)
    }
  })

  test('is looked at where a Secret of the cluster names it', async () => {
    const values = { secrets: { existing: 'mine', keys: ['transport_url'] }, replicas: 2 }
    for (const [url, isSingle] of [
      ['bolt://updates.db', true],
      [redis, false],
    ] as const) {
      await using cluster = await Cluster.start({ mine: { transport_url: `${url}\n` } })
      if (isSingle) await assertRefused(values, /bolt:\/\/ is the log of a single hub/, cluster.args)
      else await render(values, cluster.args)
      assert.ok(cluster.asked.has('mine'))
    }
  })

  test('of bolt:// is on a volume that stays', async () => {
    const { pod, one } = bind(await render({ persistence: { size: '20Gi', storageClass: 'fast' } }))
    const claim = one('PersistentVolumeClaim')
    assert.equal(volumeOf(pod, 'data').persistentVolumeClaim.claimName, claim.metadata.name)
    assert.deepEqual([claim.spec.resources.requests.storage, claim.spec.storageClassName], ['20Gi', 'fast'])
    assert.equal(claim.metadata.annotations['helm.sh/resource-policy'], 'keep')
    const existing = bind(await render({ persistence: { existingClaim: 'mine' } }))
    assert.deepEqual(existing.all('PersistentVolumeClaim'), [])
    assert.equal(volumeOf(existing.pod, 'data').persistentVolumeClaim.claimName, 'mine')
    for (const values of [
      shared,
      { persistence: { enabled: false } },
      { config: { transport_url: 'local://local' } },
    ]) {
      const without = bind(await render(values))
      assert.deepEqual(without.all('PersistentVolumeClaim'), [])
      assert.deepEqual(volumeOf(without.pod, 'data').emptyDir, {})
    }
    await assertRefused(
      { config: { transport_url: 'bolt:///var/lib/updates.db' } },
      /is not on the volume, which is at \/data/,
    )
    await render({ config: { transport_url: 'bolt:///data/deep/updates.db?size=1' } })
  })
})
