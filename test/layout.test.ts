import assert from 'node:assert/strict'
import { glob, readFile } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

interface Import {
  readonly from: string
  /** A path of the project, or the name of a package. */
  readonly to: string
  readonly isPackage: boolean
}

async function readSources(): Promise<Map<string, string>> {
  const sources = new Map<string, string>()
  for await (const file of glob('{src,transports,test}/**/*.ts', { cwd: root })) {
    sources.set(normalize(file), await readFile(join(root, file), 'utf8'))
  }
  return sources
}

function readImports(file: string, source: string): Import[] {
  const statements = source.matchAll(/^(?:(?:import|export|\})[^'\n]*\bfrom |import )'([^'\n]+)'/gm)
  const dynamic = source.matchAll(/\bimport\('([\w@./:-]+)'\)/g)
  const specifiers = [...statements, ...dynamic].map(match => match[1]!)
  return specifiers.map(specifier =>
    specifier.startsWith('.')
      ? { from: file, to: normalize(join(dirname(file), specifier)), isPackage: false }
      : { from: file, to: specifier, isPackage: true },
  )
}

const sources = await readSources()
const imports = [...sources].flatMap(([file, source]) => readImports(file, source))
const own = imports.filter(({ from }) => !from.startsWith('test/'))

/** The rooms of the house, and into which of them each may look. A file is in the first room whose pattern fits. */
const rooms: readonly { readonly room: RegExp; readonly mayImport: readonly RegExp[] }[] = [
  { room: /^src\/errors\.ts$/, mayImport: [/^src\/protocol\/generation\.ts$/] },
  { room: /^src\/protocol\//, mayImport: [/^src\/errors\.ts$/, /^src\/protocol\//] },
  { room: /^src\/transport\.ts$/, mayImport: [/^src\/protocol\//] },
  // What stands in for a log that has no memory of keys, wherever that is kept.
  { room: /^src\/key-memory\.ts$/, mayImport: [/^src\/protocol\//, /^src\/transport\.ts$/] },
  {
    room: /^src\/hub\//,
    mayImport: [/^src\/errors\.ts$/, /^src\/protocol\//, /^src\/(transport|key-memory)\.ts$/, /^src\/hub\//],
  },
  // Counts of senders, which each process keeps, or one of them for all.
  { room: /^src\/limits\//, mayImport: [/^src\/errors\.ts$/, /^src\/limits\//] },
  {
    room: /^src\/http\//,
    mayImport: [/^src\/(errors|tracing)\.ts$/, /^src\/protocol\//, /^src\/hub\//, /^src\/limits\//, /^src\/http\//],
  },
  {
    room: /^src\/config\//,
    mayImport: [/^src\/errors\.ts$/, /^src\/protocol\/(generation|algorithm)\.ts$/, /^src\/config\//],
  },
  {
    // Processes of one hub: they know the log, and nothing of what it is for.
    room: /^src\/workers\//,
    mayImport: [/^src\/(workers|limits|protocol)\//, /^src\/(transport|key-memory|errors)\.ts$/],
  },
  {
    room: /^src\/serve-workers\.ts$/,
    mayImport: [/^src\/(workers|config|limits)\//, /^src\/(log|metrics)\.ts$/, /^transports\/index\.ts$/],
  },
  {
    // The program of a worker.
    room: /^src\/worker\.ts$/,
    mayImport: [/^src\/(workers|limits)\//, /^src\/config\/transfer\.ts$/, /^src\/(log|metrics|serve)\.ts$/],
  },
  { room: /^src\/archive\.ts$/, mayImport: [/^src\/protocol\//] },
  { room: /^src\/log\.ts$/, mayImport: [] },
  { room: /^src\/metrics(\.ts$|\/)/, mayImport: [/^src\/(hub|metrics)\//] },
  { room: /^src\/hub-log\.ts$/, mayImport: [] },
  {
    // A hub and its log as traces see them, from outside.
    room: /^src\/tracing(\.ts$|\/)/,
    mayImport: [/^src\/(hub|protocol|tracing)\//, /^src\/(errors|hub-log|tracing|transport)\.ts$/],
  },
  {
    // What a hub consists of, wherever it is reached.
    room: /^src\/parts\.ts$/,
    mayImport: [
      /^src\/(config|http|hub|limits|protocol|tracing)\//,
      /^src\/(hub-log|errors|metrics|tracing|transport)\.ts$/,
      /^transports\/index\.ts$/,
      /^package\.json$/,
    ],
  },
  {
    room: /^src\/serve\.ts$/,
    mayImport: [
      /^src\/(config|http|hub|limits)\//,
      /^src\/(errors|parts|log|metrics|transport)\.ts$/,
      /^transports\/index\.ts$/,
    ],
  },
  // What an application asks of its hub without HTTP.
  { room: /^src\/embed\//, mayImport: [/^src\/(embed|hub|protocol)\//, /^src\/errors\.ts$/] },
  {
    room: /^src\/embed\.ts$/,
    mayImport: [
      /^src\/(embed|config|http|hub|protocol)\//,
      /^src\/(parts|hub-log|errors|tracing|transport)\.ts$/,
      /^transports\/index\.ts$/,
    ],
  },
  {
    // Reads and fills a log without a hub.
    room: /^src\/cli\/history\.ts$/,
    mayImport: [/^src\/(cli|config)\//, /^src\/(archive|errors)\.ts$/, /^transports\/index\.ts$/],
  },
  {
    room: /^src\/cli\//,
    mayImport: [
      /^src\/(cli|config|protocol)\//,
      /^src\/(errors|log|parts|serve|serve-workers)\.ts$/,
      /^src\/http\/tokens\/(signing|mint)\.ts$/,
      /^package\.json$/,
    ],
  },
  { room: /^src\/main\.ts$/, mayImport: [/^src\/cli\/program\.ts$/] },
  { room: /^transports\/index\.ts$/, mayImport: [/^transports\/[\w-]+\.ts$/, /^src\/(transport|archive|errors)\.ts$/] },
  {
    // What the transports to a server have in common: it knows none of them.
    room: /^transports\/backend\//,
    mayImport: [/^src\/(transport|archive|errors)\.ts$/, /^src\/protocol\//],
  },
  {
    room: /^transports\//,
    mayImport: [
      /^src\/(transport|archive|errors)\.ts$/,
      /^src\/protocol\//,
      /^src\/config\/dsn\.ts$/,
      /^transports\/backend\//,
    ],
  },
]

test('each room imports only from the rooms it may look into', () => {
  const wrong = own.filter(({ from, to, isPackage }) => {
    if (isPackage) return false
    // A transport's further nouns live in a folder of its name, for it alone.
    const transport = /^transports\/([\w-]+)/.exec(from)?.[1]
    if (transport !== 'index' && to.startsWith(`transports/${transport}/`)) return false
    const room = rooms.find(({ room }) => room.test(from))
    return room === undefined || !room.mayImport.some(allowed => allowed.test(to))
  })
  assert.deepEqual(wrong, [])
})

/** Packages that only some files may know. */
const guarded: readonly { readonly name: RegExp; readonly onlyIn: RegExp }[] = [
  { name: /^(hono|@hono)(\/|$)/, onlyIn: /^src\/(http\/|embed\.ts$)/ },
  { name: /^jose$/, onlyIn: /^src\/http\/tokens\/(token|key-set|mint)\.ts$/ },
  { name: /^lmdb$/, onlyIn: /^transports\/bolt/ },
  { name: /^ioredis$/, onlyIn: /^transports\/redis\/client\.ts$/ },
  { name: /^pg$/, onlyIn: /^transports\/postgres\/(connect|session)\.ts$/ },
  { name: /^@platformatic\/kafka$/, onlyIn: /^transports\/kafka\/broker\.ts$/ },
  { name: /^pulsar-client$/, onlyIn: /^transports\/pulsar\/native-\w+\.ts$/ },
  { name: /^commander$/, onlyIn: /^src\/(cli\/|config\/sources\/flags\.ts$)/ },
  { name: /^(pino|pino-pretty)$/, onlyIn: /^src\/log\.ts$/ },
  { name: /^@opentelemetry\//, onlyIn: /^src\/tracing\// },
  { name: /^prom-client$/, onlyIn: /^src\/metrics(\.ts$|\/)/ },
]

test('a package is known where it belongs, and nowhere else', () => {
  const wrong = own.filter(
    ({ from, to, isPackage }) => isPackage && guarded.some(({ name, onlyIn }) => name.test(to) && !onlyIn.test(from)),
  )
  assert.deepEqual(wrong, [])
})

test('every imported package is declared', async () => {
  const { dependencies, devDependencies, optionalDependencies, peerDependencies } = JSON.parse(
    await readFile(join(root, 'package.json'), 'utf8'),
  )
  const runtime = { ...dependencies, ...optionalDependencies, ...peerDependencies }
  const missing = imports.filter(({ from, to, isPackage }) => {
    if (!isPackage || to.startsWith('node:')) return false
    const name = to.split('/', to.startsWith('@') ? 2 : 1).join('/')
    return !(name in runtime) && !(from.startsWith('test/') && name in devDependencies)
  })
  assert.deepEqual(missing, [])
})

test('the protocol does no input or output and asks no clock', () => {
  for (const [file, source] of sources) {
    if (!file.startsWith('src/protocol/')) continue
    assert.doesNotMatch(
      source,
      /'node:|\bBuffer\b|\bprocess\.|Date\.now|new Date\(\)|performance\.now|setTimeout/,
      file,
    )
  }
})

test('only one file reads the environment', () => {
  const readers = [...sources]
    .filter(([file, source]) => !file.startsWith('test/') && /process\.env/.test(source))
    .map(([file]) => file)
  assert.deepEqual(readers, ['src/config/load.ts'])
})

test('there are no cycles', () => {
  const edges = new Map<string, string[]>()
  for (const { from, to, isPackage } of own) if (!isPackage) edges.set(from, [...(edges.get(from) ?? []), to])
  const state = new Map<string, 'open' | 'done'>()
  const visit = (file: string, path: string[]): void => {
    if (state.get(file) === 'done') return
    assert.notEqual(state.get(file), 'open', `cycle: ${[...path, file].join(' → ')}`)
    state.set(file, 'open')
    for (const next of edges.get(file) ?? []) visit(next, [...path, file])
    state.set(file, 'done')
  }
  for (const file of edges.keys()) visit(file, [])
})

test('names say what a file holds', () => {
  const vague = /(^|[/-])(utils?|helpers?|common|shared|misc|manager|service|index|base|impl)\.ts$/
  const files = [...sources.keys()].filter(file => file !== 'transports/index.ts')
  assert.deepEqual(
    files.filter(file => vague.test(file) || !/^[\w/]+[a-z0-9-]*(\.[a-z]+)*\.ts$/.test(file) || /[A-Z]/.test(file)),
    [],
  )
})

test('docs/architecture.md tells of files and functions that are there', async () => {
  const document = await readFile(join(root, 'docs/architecture.md'), 'utf8')
  const named = (text: string) =>
    [...text.matchAll(/(?<![\w/])[a-z]+\/[\w/-]+\.ts\b/g)].map(([name]) => normalize(name))
  const find = (name: string) => sources.get(name) ?? sources.get(join('src', name))
  assert.deepEqual(
    named(document).filter(name => find(name) === undefined),
    [],
  )
  // A step of the two ways: a line of a list, with the file and the functions in it that are next.
  const steps = [...document.matchAll(/^\d+\. (.*(?:\n {3}.*)*)/gm)].map(([, step = '']) => step)
  assert.ok(steps.length >= 12, 'an update and a subscriber pass through a dozen places')
  for (const step of steps) {
    const source = named(step).map(find).join('\n')
    assert.notEqual(source, '', `no file in: ${step}`)
    for (const [, name = ''] of step.matchAll(/`(\w+)\(\)`/g)) {
      const declared = new RegExp(`(\\bfunction |^ +(async )?|^ +readonly )#?${name}( =|[(<])`, 'm')
      assert.ok(declared.test(source), `${name}() is in none of ${named(step)}`)
    }
  }
})

test('long files are looked at', t => {
  for (const [file, source] of sources) {
    const lines = source.split('\n').length
    if (lines > 300) t.diagnostic(`${file} has ${lines} lines: is there a second noun in it?`)
  }
})
