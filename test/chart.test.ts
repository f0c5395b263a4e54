import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { jwtVerify } from 'jose'
import { parse } from 'yaml'
import manifest from '../package.json' with { type: 'json' }
import { keys } from '../src/config/schema.ts'
import { searchPath } from '../src/config/sources/file.ts'
import { parseDuration } from '../src/config/values/duration.ts'
import { assertConnected, assertRefused, bind, configOf, loadOf, mountOf, shared, valueSets } from './support/chart.ts'
import { parseDockerfile } from './support/dockerfile.ts'
import {
  chart,
  helm,
  noHelm,
  noSchemas,
  type Resource,
  readValues,
  render,
  type Values,
  validate,
  validateExtension,
} from './support/helm.ts'
import { Cluster } from './support/kubernetes-api.ts'
import { HubProcess, main, root } from './support/process.ts'
import { testKey } from './support/token.ts'

describe('the chart', { skip: noHelm }, () => {
  describe('as it is', () => {
    test('has the version of the package', async () => {
      const { version, appVersion } = parse(await readFile(join(chart, 'Chart.yaml'), 'utf8'))
      assert.deepEqual({ version, appVersion }, { version: manifest.version, appVersion: manifest.version })
    })

    test('has a schema that knows each of its values, and each key of the hub', async () => {
      const schema = JSON.parse(await readFile(join(chart, 'values.schema.json'), 'utf8'))
      assert.deepEqual(Object.keys(schema.properties.config.properties).toSorted(), keys.toSorted())
      const values = readValues()
      assert.deepEqual(
        Object.keys(schema.properties)
          .filter(key => key !== 'global')
          .toSorted(),
        Object.keys(values).toSorted(),
      )
      for (const [key, { properties }] of Object.entries<Resource>(schema.properties)) {
        if (properties === undefined || key === 'config') continue
        assert.deepEqual(Object.keys(properties).toSorted(), Object.keys(values[key]).toSorted(), key)
      }
    })

    test('refuses what it does not know, by its name', async () => {
      await assertRefused({ config: { allow_anonymus: true } }, /allow_anonymus/)
      await assertRefused({ replica: 3 }, /replica/)
      await assertRefused({ persistence: { sise: '1Gi' } }, /sise/)
      await assertRefused({ replicas: 'three' }, /replicas/)
    })
  })

  for (const [name, values] of Object.entries(valueSets)) {
    describe(`with ${name}`, async () => {
      const rendering = render(values)

      test('has nothing that lint complains of', async () => {
        await helm(['lint', '--strict', '--quiet', chart, '--kube-version', '1.37.0'], values)
      })

      test('is what Kubernetes takes', { skip: noSchemas }, async () => {
        const { text, resources } = await rendering
        for (const version of ['1.25', '1.37']) assert.deepEqual(await validate(text, version), [])
        const extensions = resources.filter(({ kind }) => ['HTTPRoute', 'ServiceMonitor'].includes(kind))
        for (const resource of extensions) await validateExtension(resource)
      })

      test('has a configuration that the hub accepts, at the ports of the pod', async () => {
        const pod = await rendering
        const { config } = await loadOf(pod)
        const ports = Object.fromEntries(
          pod.container.ports.map(({ name, containerPort }: Resource) => [name, containerPort]),
        )
        const metrics = config.metrics === 'main' || config.metrics?.host === '127.0.0.1' ? null : config.metrics
        assert.deepEqual(ports, { http: config.listen.port, ...(metrics !== null && { metrics: metrics.port }) })
        assert.ok(['', '0.0.0.0'].includes(config.listen.host))
        const scheme = config.tls === null ? 'HTTP' : 'HTTPS'
        for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
          assert.equal(pod.container[probe].httpGet.scheme, scheme)
          assert.equal(pod.container[probe].httpGet.port, 'http')
        }
        assert.equal(pod.pod.terminationGracePeriodSeconds, Math.ceil(config.shutdownTimeoutMs / 1000) + 10)
      })

      test('has resources that find each other', async () => assertConnected(await rendering))

      test('has no rights', async () => {
        const { pod, container } = await rendering
        assert.equal(pod.automountServiceAccountToken, false)
        assert.deepEqual(pod.securityContext.seccompProfile, { type: 'RuntimeDefault' })
        assert.equal(pod.securityContext.runAsNonRoot, true)
        assert.deepEqual(container.securityContext, {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        })
        const writable = container.volumeMounts.filter(({ readOnly }: Resource) => readOnly !== true)
        assert.deepEqual(
          writable.map(({ mountPath }: Resource) => mountPath).filter((path: string) => path !== '/more'),
          ['/data'],
        )
      })

      test('has its secrets in Secrets alone', async () => {
        const { resources } = await rendering
        const open = JSON.stringify(resources.filter(({ kind }) => kind !== 'Secret'))
        for (const secret of ['hunter2', testKey]) assert.ok(!open.includes(secret), secret)
      })
    })
  }

  describe('the pod', () => {
    test('is of the image that the Dockerfile makes', async () => {
      const { stages } = parseDockerfile(await readFile(join(root, 'Dockerfile'), 'utf8'))
      const told = (name: string) =>
        stages.at(-1)!.instructions.findLast(instruction => instruction.name === name)?.text
      const { pod, container } = await render()
      // It has a command of its own, whose user and volume these are.
      assert.deepEqual([container.command, container.args], [undefined, undefined])
      assert.deepEqual([told('ENTRYPOINT'), told('CMD')], ['["talaria"]', '["serve"]'])
      const { runAsUser, runAsGroup, fsGroup } = pod.securityContext
      assert.equal(told('USER'), `${runAsUser}:${runAsGroup}`)
      assert.equal(fsGroup, runAsGroup)
      assert.equal(told('VOLUME'), mountOf(container, 'data'))
      assert.equal(told('WORKDIR'), mountOf(container, 'data'))
      assert.ok(searchPath('/data', '/root').includes(`${mountOf(container, 'config')}/mercure.yaml`))
    })

    test('runs a hub that its probes and Prometheus reach', async () => {
      const rendering = await render({ config: { metrics_addr: '' }, serviceMonitor: { enabled: true } })
      const env = { JWT_KEY: testKey, ADDR: '127.0.0.1:0' }
      await using hub = await HubProcess.start({ config: configOf(rendering), env })
      const url = await hub.url()
      const { startupProbe, livenessProbe, readinessProbe } = rendering.container
      for (const { httpGet } of [startupProbe, livenessProbe, readinessProbe]) {
        assert.equal((await fetch(new URL(httpGet.path, url))).status, 200)
      }
      const [endpoint] = rendering.one('ServiceMonitor').spec.endpoints
      assert.match(await (await fetch(new URL(endpoint.path, url))).text(), /^mercure_subscribers_connected/m)
    })

    test('has as long to end as its streams, whatever the unit', async () => {
      for (const duration of ['0', '500ms', '1.5s', '.5m', '1m30s', '1h1m1s1ms1us1ns']) {
        const { pod } = await render({ config: { shutdown_timeout: duration } })
        assert.equal(pod.terminationGracePeriodSeconds, Math.ceil(parseDuration(duration) / 1000) + 10, duration)
      }
      assert.equal((await render({ config: { shutdown_timeout: 0 } })).pod.terminationGracePeriodSeconds, 10)
      const { pod, container } = await render({ drainDelay: 20 })
      assert.equal(pod.terminationGracePeriodSeconds, 55)
      assert.deepEqual(container.lifecycle.preStop.exec.command, ['sleep', '20'])
      await assertRefused({ config: { shutdown_timeout: '30' } }, /shutdown_timeout: "30" is not a duration/)
      await assertRefused({ config: { shutdown_timeout: '30 sec' } }, /shutdown_timeout/)
    })

    test('starts anew when its configuration changes, and not otherwise', async () => {
      const checksum = async (values: Values) =>
        (await render(values)).one('Deployment').spec.template.metadata.annotations['checksum/config']
      const all = [{}, { config: { subscriptions: true } }, shared]
      const before = await Promise.all(all.map(checksum))
      assert.equal(new Set(before).size, all.length)
      assert.deepEqual(await Promise.all(all.map(checksum)), before)
    })
  })

  test('lets streams be as long as they are where a gateway would cut them', async () => {
    const httpRoute = { enabled: true, parentRefs: [{ name: 'gateway' }] }
    const [rule] = (await render({ httpRoute })).one('HTTPRoute').spec.rules
    assert.deepEqual(rule.timeouts, { request: '0s' })
    await assertRefused({ httpRoute: { enabled: true } }, /parentRefs: name the Gateway/)
  })

  test('tells whom it was installed by where the hub is, and how to get a token', async t => {
    await using cluster = await Cluster.start({})
    const install = async (values: Values) =>
      (await helm(['install', 'hub', chart, '--namespace', 'live', ...cluster.args], values)).split('NOTES:\n')[1]!
    const notes = await install({ ingress: { enabled: true }, persistence: { enabled: false } })
    assert.match(notes, /^The hub is http:\/\/hub-talaria\.live:80\/\.well-known\/mercure in the cluster$/m)
    assert.match(notes, /^and http:\/\/hub\.example\/\.well-known\/mercure outside\.$/m)
    assert.match(notes, /persistence is off: the log goes with the pod/)
    const [, command = ''] = /sh -c '(.*)'$/m.exec(notes)!
    const file = join(await mkdtemp(join(tmpdir(), 'talaria-chart-')), 'key')
    t.after(() => rm(dirname(file), { recursive: true }))
    await writeFile(file, testKey)
    const here = command.replace(/\/run\/secrets\/talaria\/jwt_key/, file).replace(/^talaria/, '"$NODE" "$MAIN"')
    const env = { ...process.env, NODE: process.execPath, MAIN: main }
    const { stdout } = await promisify(execFile)('sh', ['-c', here], { env })
    const { payload } = await jwtVerify(stdout.trim(), new TextEncoder().encode(testKey))
    assert.deepEqual(payload.mercure, { publish: ['*'] })

    const told = await install({ config: { jwt_key: testKey }, tls: { existingSecret: 'hub-tls' } })
    assert.match(told, /^The hub is https:\/\/hub-talaria\.live:443\/\.well-known\/mercure in the cluster\.$/m)
    assert.doesNotMatch(told, /jwt_key|persistence is off/)
  })

  test('is not taken for right by schemas that would take anything', { skip: noSchemas }, async () => {
    const { text } = await render()
    assert.match((await validate(text.replace('replicas: 1', 'replica: 1'), '1.37')).join('\n'), /replica/)
    assert.match(
      (await validate(text.replace('containerPort: 8080', 'containerPort: http'), '1.37')).join('\n'),
      /http/,
    )
    const { one } = bind(await render(valueSets['everything that can be had']))
    const route = structuredClone(one('HTTPRoute'))
    route.spec.rules[0].backendRefs[0].port = 'http'
    await assert.rejects(validateExtension(route), /port must be integer/)
    const monitor = structuredClone(one('ServiceMonitor'))
    delete monitor.spec.selector
    await assert.rejects(validateExtension(monitor), /selector/)
  })

  test('is installed with the values of docs/kubernetes.md', async () => {
    const text = await readFile(join(root, 'docs/kubernetes.md'), 'utf8')
    const blocks = [...text.matchAll(/^ *```yaml\n(.*?)^ *```$/gms)].map(([, block = '']) => block)
    assert.ok(blocks.length >= 3)
    for (const block of blocks) await loadOf(await render(block))
    const commands = [...text.matchAll(/^helm (?:install|upgrade --install) hub charts\/talaria(.*)$/gm)]
    assert.ok(commands.length > 0)
    for (const [command, rest = ''] of commands) {
      assert.doesNotMatch(rest, /\\$/, command)
      const args = rest.split(' ').filter(word => word !== '')
      if (!args.includes('-f')) await render({}, args)
    }
  })
})
