import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Loaded } from '../../src/config/load.ts'
import { load } from './configuration.ts'
import { type Rendering, type Resource, render, type Values } from './helm.ts'
import { root } from './process.ts'
import { testKey } from './token.ts'

export const shipped = await readFile(join(root, 'mercure.yaml'), 'utf8')
export const redis = 'redis://user:hunter2@redis:6379/mercure'
export const shared = { transportUrl: redis }

/** What charts are installed with, from nothing to everything. */
export const valueSets: Readonly<Record<string, Values>> = {
  nothing: {},
  'several hubs': { ...shared, replicas: 3 },
  'everything that can be had': {
    ...shared,
    config: {
      addr: ':8443',
      metrics_addr: '',
      shutdown_timeout: '1m30.5s',
      recent: { entries: 2_000_000, bytes: '128MiB' },
      max_queue_bytes: 4_194_304,
      subscriptions: true,
      cors_allowed_origins: ['https://app.example'],
    },
    tls: { existingSecret: 'hub-tls' },
    image: { repository: 'registry.example/talaria', digest: `sha256:${'0'.repeat(64)}` },
    imagePullSecrets: [{ name: 'pull' }],
    autoscaling: { enabled: true, behavior: { scaleDown: { stabilizationWindowSeconds: 600 } } },
    service: { type: 'LoadBalancer', annotations: { some: 'annotation' } },
    ingress: {
      enabled: true,
      className: 'nginx',
      annotations: { some: 'annotation' },
      hosts: ['a.example', 'b.example'],
      tls: [{ secretName: 'outside', hosts: ['a.example', 'b.example'] }],
    },
    httpRoute: { enabled: true, parentRefs: [{ name: 'gateway', namespace: 'gateways' }] },
    networkPolicy: {
      enabled: true,
      from: [{ namespaceSelector: { matchLabels: { name: 'ingress' } } }],
      metricsFrom: [{ podSelector: {} }],
      egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }],
    },
    serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
    serviceAccount: { annotations: { some: 'annotation' } },
    env: [{ name: 'DEBUG', value: 'true' }],
    volumes: [{ name: 'more', emptyDir: {} }],
    volumeMounts: [{ name: 'more', mountPath: '/more' }],
    nodeSelector: { 'kubernetes.io/arch': 'arm64' },
    tolerations: [{ operator: 'Exists' }],
    affinity: { nodeAffinity: {} },
    topologySpreadConstraints: [],
    priorityClassName: 'high',
    podLabels: { team: 'live' },
    podAnnotations: { some: 'annotation' },
  },
  'a Secret that exists': {
    secrets: { existing: 'mine', keys: ['publisher_jwt_key', 'subscriber_jwt_key', 'transport_url'] },
  },
  'keys in the configuration': {
    config: { issuers: [{ id: 'https://issuer.example', publisher: { key: testKey } }], allow_anonymous: true },
    persistence: { enabled: false },
    networkPolicy: { enabled: true },
    serviceMonitor: { enabled: true },
    ingress: { enabled: true },
    httpRoute: { enabled: true, parentRefs: [{ name: 'gateway' }], requestTimeout: null },
  },
  'mercure.yaml as it is, but where it listens': `config:\n${shipped.replace(/^addr:.*$/m, 'addr: :8080').replace(/^/gm, '  ')}`,
}

export async function assertRefused(values: Values, sentence: RegExp, args: readonly string[] = []): Promise<void> {
  await assert.rejects(render(values, args), (error: Error & { stderr?: string }) => {
    assert.match(error.stderr ?? error.message, sentence)
    return true
  })
}

/** Its methods by themselves. */
export const bind = (rendering: Rendering) => ({
  pod: rendering.pod,
  one: (kind: string, name?: string): Resource => rendering.one(kind, name),
  all: (kind: string): Resource[] => rendering.all(kind),
})

export const volumeOf = (pod: Resource, name: string): Resource =>
  pod.volumes.find((volume: Resource) => volume.name === name)
export const mountOf = (container: Resource, name: string): string =>
  container.volumeMounts.find((mount: Resource) => mount.name === name).mountPath

export function configOf({ resources }: Rendering): string {
  const { data, stringData } = resources.find(({ metadata }) => metadata.name === 'hub-talaria-config')
  return (data ?? stringData)['mercure.yaml']
}

/** What the hub of the pod makes of its file and its variables; of Secrets that are not the chart's something is made up. */
export async function loadOf(rendering: Rendering): Promise<Loaded> {
  const { pod, container } = rendering
  const secrets = volumeOf(pod, 'secrets')?.secret
  const own = rendering.all('Secret').find(({ metadata }) => metadata.name === secrets?.secretName)
  const madeUp: Record<string, string> = { transport_url: redis }
  const files = Object.fromEntries<string>(
    (secrets?.items ?? []).map(({ key, path }: Resource) => [
      `secrets/${path}`,
      own === undefined ? (madeUp[key] ?? testKey) : Buffer.from(own.data[key], 'base64').toString(),
    ]),
  )
  if (volumeOf(pod, 'tls') !== undefined) Object.assign(files, { 'tls/tls.crt': '', 'tls/tls.key': '' })
  const env = Object.fromEntries<string>(
    (container.env ?? []).map(({ name, value }: Resource) => [
      name,
      value
        .replace(`${mountOrNone(container, 'secrets')}/`, 'secrets/')
        .replace(`${mountOrNone(container, 'tls')}/`, 'tls/'),
    ]),
  )
  return await load({ yaml: configOf(rendering), env, files })
}

const mountOrNone = (container: Resource, name: string): string =>
  container.volumeMounts.find((mount: Resource) => mount.name === name)?.mountPath ?? 'none'

/** What names or selects another resource does so truly. */
export function assertConnected(rendering: Rendering): void {
  const { resources, pod, container } = rendering
  const deployment = rendering.one('Deployment')
  const labels = deployment.spec.template.metadata.labels
  const selects = (selector: Record<string, string>, what: Record<string, string>) => {
    assert.ok(Object.keys(selector).length > 0)
    for (const [key, value] of Object.entries(selector)) assert.equal(what[key], value)
  }
  const containerPorts: string[] = container.ports.map(({ name }: Resource) => name)
  const service = rendering.one('Service')
  const servicePorts: Resource[] = service.spec.ports
  for (const { metadata } of resources) {
    assert.equal(metadata.namespace, 'live')
    assert.equal(metadata.labels['app.kubernetes.io/instance'], 'hub')
  }
  selects(deployment.spec.selector.matchLabels, labels)
  selects(service.spec.selector, labels)
  for (const { targetPort } of servicePorts) assert.ok(containerPorts.includes(targetPort), targetPort)
  const names = new Set(resources.map(({ kind, metadata }) => `${kind} ${metadata.name}`))
  assert.ok(names.has(`ServiceAccount ${pod.serviceAccountName}`))
  const mounted = new Set(container.volumeMounts.map(({ name }: Resource) => name))
  assert.deepEqual(mounted, new Set(pod.volumes.map(({ name }: Resource) => name)))
  for (const { spec } of rendering.all('PodDisruptionBudget')) selects(spec.selector.matchLabels, labels)
  for (const { spec } of rendering.all('HorizontalPodAutoscaler')) {
    assert.ok(names.has(`${spec.scaleTargetRef.kind} ${spec.scaleTargetRef.name}`))
  }
  for (const { spec } of rendering.all('NetworkPolicy')) {
    selects(spec.podSelector.matchLabels, labels)
    const open = spec.ingress.flatMap(({ ports }: Resource) => ports.map(({ port }: Resource) => port))
    assert.deepEqual(open.toSorted(), containerPorts.toSorted())
  }
  for (const { spec } of rendering.all('Ingress')) {
    for (const { backend } of spec.rules.flatMap(({ http }: Resource) => http.paths)) {
      assert.equal(backend.service.name, service.metadata.name)
      assert.ok(servicePorts.some(({ name }) => name === backend.service.port.name))
    }
  }
  for (const { name, port } of rendering.all('HTTPRoute').flatMap(({ spec }) => spec.rules[0].backendRefs)) {
    assert.equal(name, service.metadata.name)
    assert.ok(servicePorts.some(one => one.port === port && one.name === 'http'))
  }
  for (const { spec } of rendering.all('ServiceMonitor')) {
    selects(spec.selector.matchLabels, service.metadata.labels)
    assert.ok(servicePorts.some(({ name }) => name === spec.endpoints[0].port))
  }
}
