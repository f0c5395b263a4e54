import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { promisify } from 'node:util'
import manifest from '../package.json' with { type: 'json' }
import { EventStream } from './support/event-stream.ts'
import { Installation } from './support/package.ts'
import { HubProcess, root } from './support/process.ts'
import { freePort } from './support/services/free-port.ts'
import { publisherToken, testKey } from './support/token.ts'

const run = promisify(execFile)
const topic = 'https://example.com/books/1'

const installation = await Installation.create()
after(() => installation[Symbol.asyncDispose]())
const { files, directory, oldestNode } = installation
const oldNode = findOldNode()
const noOldNode = oldNode === undefined && 'No Node of this machine is older than what the package needs.'
const noOpenssl = spawnSync('openssl', ['version']).error !== undefined && 'There is no openssl here.'
const noOldestNode = oldestNode === undefined && 'npm has no Node 24 for this platform.'

test('the package has the program, its types, and what it serves, and nothing else', async () => {
  const expected = ['LICENSE', 'README.md', 'CHANGELOG.md', 'mercure.yaml', 'openapi.yaml', 'package.json']
  const built = ['src/main.js', 'src/worker.js', 'src/embed.js', 'src/embed.d.ts', 'transports/index.d.ts']
  const page = (await readdir(join(root, 'src/ui/debugger'))).map(name => `dist/src/ui/debugger/${name}`)
  for (const file of [...expected, ...built.map(name => `dist/${name}`), ...page]) assert.ok(files.includes(file), file)
  const strange = files.filter(
    file => !expected.includes(file) && !/^dist\/(src|transports)\/.*(\.js|\.d\.ts)$/.test(file),
  )
  assert.deepEqual(strange.sort(), ['dist/package.json', ...page.filter(file => !file.endsWith('.js'))].sort())
  assert.ok(!files.includes('dist/src/stale.js'))
})

test('a Node that is too old is told', { skip: noOldNode }, async () => {
  const program = installation.module(`${manifest.name}/dist/src/main.js`)
  const { code, stdout, stderr } = await run(oldNode!.program, [program, '--version']).catch(error => error)
  const message = `Talaria needs Node ${manifest.engines.node.slice(2)} or newer; this is ${oldNode!.version}.\n`
  assert.deepEqual({ code, stdout, stderr }, { code: 1, stdout: '', stderr: message })
})

test('nothing in the package asks for TypeScript', async () => {
  for (const file of files.filter(file => file.endsWith('.js'))) {
    assert.doesNotMatch(
      await readFile(installation.module(`${manifest.name}/${file}`), 'utf8'),
      /(from|import) ?\(?'\.[^']*\.ts'/,
      file,
    )
  }
})

test('nothing that is optional is installed', () => {
  // prom-client brings it.
  const { '@opentelemetry/api': _, ...optional } = manifest.optionalDependencies
  for (const name of Object.keys({ ...optional, ...manifest.peerDependencies })) {
    assert.equal(existsSync(installation.module(name)), false, name)
  }
})

describe('what is installed', { concurrency: 4 }, () => {
  for (const { name, node, skip, workers } of [
    { name: 'the Node of this checkout, with workers', node: process.execPath, skip: false, workers: 2 },
    { name: 'the oldest Node', node: oldestNode ?? '', skip: noOldestNode, workers: 1 },
  ] as const) {
    test(`the command runs a hub on ${name}`, { skip }, async () => {
      const { command, env } = installation.command(node)
      const config = [
        ...['addr: 127.0.0.1:0', `jwt_key: ${testKey}`, 'allow_anonymous: true', 'demo: true', `workers: ${workers}`],
        'transport_url: bolt://updates.db',
      ]
      await using hub = await HubProcess.start({ command, env, config: config.join('\n') })
      const url = await hub.url()
      const [version] = (await run(command[0]!, ['--version'], { env })).stdout.split('\n')
      assert.equal(version, manifest.version)
      await checkHub(url)
      // Leads to the debugger page.
      const page = await fetch(url)
      assert.match(await page.text(), /^<!doctype html>/)
      assert.equal((await fetch(new URL('vendor/preact.js', page.url))).status, 200)
      hub.signal('SIGTERM')
      assert.equal(await hub.exit(), 0)
    })
  }

  test('the commands of the README run a hub', { skip: noOpenssl }, async () => {
    const readme = await readFile(join(root, 'README.md'), 'utf8')
    const [, install, start = ''] = /^```sh\n(npm install --global .*)\n([^`]*)^```$/m.exec(readme) ?? []
    assert.equal(install, `npm install --global ${manifest.name}`)
    const PATH = `${installation.module('.bin')}:${dirname(process.execPath)}:${process.env.PATH}`
    const command = ['sh', '-c', start.replace('127.0.0.1:3000', '127.0.0.1:0').replace(/^talaria /m, 'exec talaria ')]
    await using hub = await HubProcess.start({ command, env: { PATH } })
    assert.equal((await fetch(`${await hub.url()}/readyz`)).status, 200)
  })

  for (const [url, name] of [
    ['redis://localhost/updates', 'ioredis'],
    ['postgres://localhost/updates', 'pg'],
    ['kafka://localhost/updates', '@platformatic/kafka'],
    ['pulsar://localhost/public/default/updates', 'pulsar-client'],
  ]) {
    test(`${url} says that ${name} is missing, and how it is installed`, async () => {
      const message = await refusalOf(url!)
      assert.match(
        message,
        new RegExp(
          `^ +transport_url \\(.*\\): \\w+: the package "${name}" is missing; install it with "npm install .*${name}"`,
          'm',
        ),
      )
    })
  }

  test('tracing says what is missing, and how it is installed', async () => {
    assert.match(
      await refusalOf('local://local', 'tracing: true'),
      /tracing: needs packages that are missing; install them with "npm install @opentelemetry\/api @opentelemetry\/sdk-trace /,
    )
  })
})

test('bolt:// without its database for this machine says how to get it', async () => {
  await installation.withoutLmdbBinary(async () => {
    assert.match(
      await refusalOf('bolt://updates.db'),
      /^ +transport_url \(.*\): bolt: the package "lmdb" cannot be used here; install it for/m,
    )
  })
})

/** A Node of this machine that is older than what the package needs, but knows modules. */
function findOldNode(): { program: string; version: string } | undefined {
  const places = new Set([...process.env.PATH!.split(delimiter), '/usr/local/bin', '/usr/bin'])
  for (const place of places) {
    const program = join(place, 'node')
    const version = spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout?.trim() ?? ''
    const major = Number(/^v(\d+)\./.exec(version)?.[1])
    if (major >= 16 && major < Number(manifest.engines.node.slice(2))) return { program, version }
  }
  return undefined
}

/** Publishes an update that a stream receives. */
async function checkHub(url: string): Promise<void> {
  const stream = await EventStream.open(`${url}/.well-known/mercure?topic=${topic}`)
  const answer = await fetch(`${url}/.well-known/mercure`, {
    method: 'POST',
    body: new URLSearchParams({ topic, data: 'from the package' }),
    headers: { Authorization: `Bearer ${await publisherToken()}` },
  })
  assert.equal(answer.status, 200)
  const [event] = await stream.take()
  assert.deepEqual([event?.id, event?.data], [await answer.text(), 'from the package'])
  stream.close()
}

/** What the command says of a log that it cannot open, or of a line of its configuration that it cannot follow. */
async function refusalOf(transportUrl: string, line = ''): Promise<string> {
  const { command, env } = installation.command(process.execPath)
  const config = ['addr: 127.0.0.1:0', `jwt_key: ${testKey}`, `transport_url: ${transportUrl}`, line].join('\n')
  await using hub = await HubProcess.start({ command, env, config })
  assert.equal(await hub.exit(), 1)
  return hub.stderr
}

// The page on embedding, with its snippets as programs of the application.
const page = await readFile(join(root, 'docs/embedding.md'), 'utf8')
const snippets = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text = '']) => text)
const files24 = oldestNode ?? process.execPath

/** Writes the snippet that has these words into the application. */
async function write(words: string, port?: number): Promise<string> {
  const found = snippets.filter(text => text.includes(words))
  assert.equal(found.length, 1, `one snippet of docs/embedding.md has ${words}`)
  const file = join(directory, `${words.replace(/\W+/g, '-')}.ts`)
  await writeFile(file, port === undefined ? found[0]! : found[0]!.replaceAll('3000', String(port)))
  return file
}

describe('docs/embedding.md', { concurrency: 4 }, () => {
  for (const words of ["from 'hono'", "from 'node:http'", "from 'fastify'"]) {
    test(`the server with ${words}`, async () => {
      const port = await freePort()
      const file = await write(words, port)
      await using hub = await HubProcess.start({ command: [files24, file], env: { JWT_KEY: testKey } })
      const url = `http://127.0.0.1:${port}`
      const answers = () =>
        fetch(url).then(
          answer => answer.text(),
          () => undefined,
        )
      while ((await answers()) !== 'my application') assert.equal(hub.child.exitCode, null, hub.stderr)
      await checkHub(url)
      hub.signal('SIGTERM')
      assert.equal(await hub.exit(), 0, hub.stderr)
    })
  }

  test('functions from Request to Response', async () => {
    const file = await write('export const GET')
    const program = join(directory, 'route.ts')
    const [url, body] = ['https://example.com/.well-known/mercure', 'topic=a&data=b&id=urn:1']
    const headers = {
      Authorization: `Bearer ${await publisherToken()}`,
      'Content-Type': 'application/x-www-form-urlencoded',
    }
    await writeFile(
      program,
      `import { GET, POST } from ${JSON.stringify(file)}
      console.log(await (await POST(new Request('${url}', ${JSON.stringify({ method: 'POST', headers, body })}))).text())
      const stream = await GET(new Request('${url}?topic=a&last_event_id=earliest'))
      for await (const chunk of stream.body!.pipeThrough(new TextDecoderStream())) {
        console.log(chunk)
        if (chunk.includes('data: b')) process.exit()
      }`,
    )
    const { stdout } = await run(files24, [program], { cwd: directory, env: { JWT_KEY: testKey } })
    assert.match(stdout, /^urn:1\n(.*\n)*data: b$/m)
  })

  for (const { words, output } of [
    { words: 'bolt://books.db', output: /^true \[ 'https:\/\/example\.com\/books\/1' \] \{ sold: true \}\n$/ },
    {
      words: "'often'",
      output:
        /^configuration_invalid\nThe configuration has a problem:\n {2}heartbeat_interval .*"often" is not a duration/,
    },
    { words: 'class Memory', output: /^mine\n$/ },
    { words: 'hub.metrics', output: /^200 text\/plain; version=0\.0\.4; charset=utf-8\n$/ },
  ]) {
    test(`the program with ${words}`, async () => {
      const { stdout } = await run(files24, [await write(words)], { cwd: directory, env: { JWT_KEY: testKey } })
      assert.match(stdout, output)
    })
  }
})

test('every snippet of docs/embedding.md is run here', () => assert.equal(snippets.length, 8))

test('its types hold for an application, with those of what it uses looked at', async () => {
  // What every TypeScript application for Node has.
  await mkdir(installation.module('@types'), { recursive: true })
  await symlink(join(root, 'node_modules/@types/node'), installation.module('@types/node'))
  for (const [number, snippet] of snippets.entries()) await writeFile(join(directory, `types-${number}.ts`), snippet)
  const types = await readFile(join(root, 'test/types/embedding.ts'), 'utf8')
  const packed = types
    .replace('../../src/embed.ts', manifest.name)
    .replace('../../transports/index.ts', `${manifest.name}/transports`)
  await writeFile(join(directory, 'types.ts'), packed)
  const compilerOptions = {
    ...{ target: 'esnext', module: 'nodenext', lib: ['esnext', 'dom'], types: ['node'], strict: true, noEmit: true },
    ...{ exactOptionalPropertyTypes: true, skipLibCheck: false },
  }
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['types*.ts'] }))
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  await run(process.execPath, [compiler, '-p', directory]).catch(({ stdout }) => assert.fail(stdout))
})
