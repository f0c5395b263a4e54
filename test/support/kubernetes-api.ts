import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const describe = (kind: string) => {
  const singularName = kind.toLowerCase()
  return { kind, name: `${singularName}s`, singularName, namespaced: true, verbs: ['get'] }
}

/** What a release of the chart is of. */
const kinds: Readonly<Record<string, readonly object[]>> = {
  v1: ['Secret', 'ConfigMap', 'Service', 'ServiceAccount', 'PersistentVolumeClaim'].map(describe),
  'apps/v1': [describe('Deployment')],
  'policy/v1': [describe('PodDisruptionBudget')],
  'networking.k8s.io/v1': [{ ...describe('Ingress'), name: 'ingresses' }],
}
const groups = ['apps', 'policy', 'networking.k8s.io'].map(name => {
  const preferredVersion = { groupVersion: `${name}/v1`, version: 'v1' }
  return { name, preferredVersion, versions: [preferredVersion] }
})

/** By these Helm knows what is of the release `hub`. */
const ownership = {
  labels: { 'app.kubernetes.io/managed-by': 'Helm' },
  annotations: { 'meta.helm.sh/release-name': 'hub', 'meta.helm.sh/release-namespace': 'live' },
}

/** As much of the API of Kubernetes as Helm asks for when it only renders with `lookup`: Secrets of the namespace `live`. */
export class Cluster implements AsyncDisposable {
  readonly asked = new Set<string>()
  readonly #secrets: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly #server = createServer((request, answer) => {
    const body = this.#answer(new URL(request.url!, 'http://cluster').pathname)
    answer.writeHead(body === undefined ? 404 : 200, { 'Content-Type': 'application/json' })
    answer.end(
      JSON.stringify(body ?? { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404 }),
    )
  })

  static async start(secrets: Readonly<Record<string, Readonly<Record<string, string>>>>): Promise<Cluster> {
    const cluster = new Cluster(secrets)
    const { promise, resolve } = Promise.withResolvers<void>()
    cluster.#server.listen(0, '127.0.0.1', resolve)
    await promise
    return cluster
  }

  private constructor(secrets: Readonly<Record<string, Readonly<Record<string, string>>>>) {
    this.#secrets = secrets
  }

  /** For `helm template` and `helm install`. */
  get args(): readonly string[] {
    return [
      '--dry-run=server',
      '--disable-openapi-validation',
      '--kube-apiserver',
      `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`,
    ]
  }

  #answer(path: string): object | undefined {
    if (path === '/version') return { major: '1', minor: '37', gitVersion: 'v1.37.0' }
    if (path === '/api') return { kind: 'APIVersions', versions: ['v1'] }
    if (path === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups }
    const groupVersion = path.replace(/^\/apis?\//, '')
    if (Object.hasOwn(kinds, groupVersion))
      return { kind: 'APIResourceList', groupVersion, resources: kinds[groupVersion] }
    // Helm keeps its releases in Secrets: there is none yet.
    if (path === '/api/v1/namespaces/live/secrets') return { kind: 'SecretList', apiVersion: 'v1', items: [] }
    const [, name] = /^\/api\/v1\/namespaces\/live\/secrets\/([\w-]+)$/.exec(path) ?? []
    const secret = name === undefined ? undefined : this.#secrets[name]
    if (name === undefined || secret === undefined) return undefined
    this.asked.add(name)
    const data = Object.entries(secret).map(([key, value]) => [key, Buffer.from(value).toString('base64')])
    return {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { ...ownership, name, namespace: 'live' },
      data: Object.fromEntries(data),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    this.#server.closeAllConnections()
    await promise
  }
}
