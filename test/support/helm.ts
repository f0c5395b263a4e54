import { execFile, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { root } from './process.ts'
import { missing } from './services/missing.ts'

const run = promisify(execFile)
export const chart = join(root, 'charts/talaria')

const script = readFileSync(join(root, 'scripts/chart-tools.sh'), 'utf8')
const versions = Object.fromEntries([...script.matchAll(/^(\w+)_version=(.+)$/gm)].map(([, name, at]) => [name, at]))
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'talaria')
const tools = {
  helm: join(cache, `helm-${versions.helm}`, 'helm'),
  schemas: join(cache, `kubernetes-validate-${versions.schemas}`),
  models: join(cache, `kubernetes-models-${versions.gateway}-${versions.operator}`),
}
const found = [process.env.HELM, 'helm', tools.helm].find(
  program => program !== undefined && program !== '' && spawnSync(program, ['version']).status === 0,
)
/** The program; empty: there is none. */
export const helmProgram = found ?? ''
const hint = 'scripts/chart-tools.sh fetches it'

/** Why the chart cannot be rendered here; `false`: it can. */
export const noHelm = found === undefined && missing(`There is no helm here: ${hint}.`)
/** The same of the schemas of Kubernetes and of those who extend it. */
export const noSchemas =
  !(existsSync(tools.schemas) && existsSync(tools.models)) &&
  missing(`There are no schemas of Kubernetes here: ${hint}.`)

/** A resource as Kubernetes would get it. What tests look into is checked by them. */
// biome-ignore lint/suspicious/noExplicitAny: its shape is what the tests are about
export type Resource = any

export class Rendering {
  readonly text: string
  readonly resources: readonly Resource[]

  constructor(text: string) {
    this.text = text
    this.resources = parseAllDocuments(text)
      .map(document => document.toJS())
      .filter(resource => resource !== null)
  }

  /** Those of a kind. */
  all(kind: string): Resource[] {
    return this.resources.filter(resource => resource.kind === kind)
  }

  /** The one of a kind, and of a name where there are several. */
  one(kind: string, name?: string): Resource {
    const these = this.all(kind).filter(({ metadata }) => name === undefined || metadata.name === name)
    if (these.length !== 1) throw new Error(`there are ${these.length} of ${kind} ${name ?? ''}`)
    return these[0]
  }

  get pod(): Resource {
    return this.one('Deployment').spec.template.spec
  }

  get container(): Resource {
    return this.pod.containers[0]
  }
}

/** Values as in a values file, or its text. */
export type Values = string | Readonly<Record<string, unknown>>

export async function helm(args: readonly string[], values: Values = {}): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'talaria-chart-'))
  try {
    const file = join(directory, 'values.yaml')
    await writeFile(file, typeof values === 'string' ? values : stringify(values))
    // Nothing of this machine's own configuration of Helm or of clusters.
    const env = { PATH: process.env.PATH, HOME: directory }
    return (await run(helmProgram, [...args, '--values', file], { env, maxBuffer: 16 << 20 })).stdout
  } finally {
    await rm(directory, { recursive: true })
  }
}

/** Renders the chart as release `hub` of the namespace `live`. */
export const render = async (values: Values = {}, args: readonly string[] = []): Promise<Rendering> => {
  const release = ['template', 'hub', chart, '--namespace', 'live', '--kube-version', '1.37.0']
  return new Rendering(await helm([...release, ...args], values))
}

/** Checks resources against the schemas of a version of Kubernetes, in which no property may be unknown. @returns what is wrong */
export async function validate(text: string, version: string): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), 'talaria-schemas-'))
  try {
    const file = join(directory, 'resources.yaml')
    await writeFile(file, text)
    const args = ['-m', 'kubernetes_validate', '--strict', '-k', version, file]
    const env = { PATH: process.env.PATH, PYTHONPATH: tools.schemas }
    const { stdout, stderr } = await run('python3', args, { env }).catch(error => error)
    const lines = `${stdout}${stderr}`.split('\n').filter(line => line !== '')
    return lines.filter(line => !line.startsWith('INFO ') && !foreign.test(line))
  } finally {
    await rm(directory, { recursive: true })
  }
}

/** These are not Kubernetes’ own. */
const foreign = /^WARN .*Couldn't find schema for kind (HTTPRoute|ServiceMonitor) /

const models = {
  HTTPRoute: 'gateway-api/gateway.networking.k8s.io/v1/HTTPRoute.js',
  ServiceMonitor: 'prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor.js',
}

/** Checks a resource of those who extend Kubernetes for the types of its properties. @throws with what is wrong */
export async function validateExtension(resource: Resource): Promise<void> {
  const kind = resource.kind as keyof typeof models
  const module = await import(pathToFileURL(join(tools.models, 'node_modules/@kubernetes-models', models[kind])).href)
  new module[kind](resource).validate()
}

export const readValues = (): Record<string, Resource> => parse(readFileSync(join(chart, 'values.yaml'), 'utf8'))
