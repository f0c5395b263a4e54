import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, glob, open, readdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import manifest from '../package.json' with { type: 'json' }
import { readServices } from './support/compose.ts'
import { Container, execute, hasNamespaces, initialize, type Order } from './support/container.ts'
import { EventStream } from './support/event-stream.ts'
import { type Built, ImageBuild, isRoot } from './support/image.ts'
import { root } from './support/process.ts'
import { freePort } from './support/services/free-port.ts'
import { signAccessToken, signToken, testKey } from './support/token.ts'

const platform = { x64: 'amd64', arm64: 'arm64' }[process.arch as string]
/** `e_machine` of ELF. */
const machines = { amd64: 0x3e, arm64: 0xb7 }
const { glibcVersionRuntime: glibc } = (process.report.getReport() as { header: { glibcVersionRuntime?: string } })
  .header
const skip = (platform === undefined || glibc === undefined) && 'The image is for amd64 and arm64 with Debian’s libc.'

describe('the image', { skip }, () => {
  let build: ImageBuild
  let otherBuild: ImageBuild
  let image: Built
  let packages: Built
  let otherPackages: Built

  before(async () => {
    build = await ImageBuild.prepare({ TARGETARCH: platform!, VERSION: '1.2.3' })
    otherBuild = await ImageBuild.prepare({ TARGETARCH: platform === 'amd64' ? 'arm64' : 'amd64' })
    const built = [build.build('final'), build.build('packages'), otherBuild.build('packages')] as const
    ;[image, packages, otherPackages] = await Promise.all(built)
    // Root's files are not to be written to by the hub's user; who is not root has them written by nobody.
    if (!isRoot) await promisify(execFile)('chmod', ['-R', 'a-w', join(image.files, 'hub')])
  })
  after(async () => {
    await build[Symbol.asyncDispose]()
    await otherBuild[Symbol.asyncDispose]()
  })

  const makeVolume = async () => await initialize(await build.makeDirectory('volume'), image)

  /** An order whose hub listens here, at a port of its own. */
  const orderHub = async (env: Readonly<Record<string, string>>): Promise<Order & { url: string }> => {
    const ADDR = `127.0.0.1:${await freePort()}`
    return { image, volume: await makeVolume(), env: { ...env, ADDR }, url: `http://${ADDR}/.well-known/mercure` }
  }

  describe('as it is built', () => {
    test('is on the slim image of the Node of this project', () => {
      const [major] = /\d+/.exec(manifest.devDependencies.node)!
      assert.deepEqual([...new Set(build.bases)], [`node:${major}-slim`])
    })

    test('has the labels of the package', () => {
      const { title, description, licenses, version } = Object.fromEntries(
        Object.entries(image.config.labels).map(([key, value]) => [
          key.replace('org.opencontainers.image.', ''),
          value,
        ]),
      )
      assert.equal(title!.toLowerCase(), manifest.name.split('/').at(-1))
      assert.deepEqual({ description, licenses }, { description: manifest.description, licenses: manifest.license })
      assert.equal(version, '1.2.3')
    })

    test('is of a user who is not root, known by number, with a volume that is theirs', async () => {
      const { user, volumes, workdir, exposed, stopSignal } = image.config
      assert.match(user, /^[1-9]\d*:[1-9]\d*$/)
      assert.deepEqual(
        { volumes, workdir, exposed, stopSignal },
        { volumes: ['/data'], workdir: '/data', exposed: ['80'], stopSignal: 'SIGTERM' },
      )
      assert.deepEqual(await readdir(join(image.files, 'data')), [])
    })

    test('has no package of development, no source, and no secret', async () => {
      const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')).packages
      const installed = JSON.parse(await readFile(join(image.files, 'hub/node_modules/.package-lock.json'), 'utf8'))
      const names = Object.keys(installed.packages)
      assert.ok(names.includes('node_modules/hono') && names.includes('node_modules/ioredis'))
      for (const name of names) assert.ok(lock[name].dev !== true, name)
      for await (const file of glob('**/*.{ts,map,yaml,db,test.js}', { cwd: join(image.files, 'hub') })) {
        assert.fail(`${file} is in the image`)
      }
      assert.deepEqual((await readdir(join(image.files, 'hub'))).toSorted(), ['LICENSE', 'bin', 'dist', 'node_modules'])
    })

    test('is as small as the document says', async () => {
      const { stdout } = await promisify(execFile)('du', ['-sm', '--apparent-size', join(image.files, 'hub')])
      const [, said] = /(\d+) MB of the hub/.exec(await readFile(join(root, 'docs/docker.md'), 'utf8'))!
      const megabytes = Number.parseInt(stdout, 10)
      assert.ok(megabytes <= Number(said) && megabytes > Number(said) - 5, stdout)
    })

    test('has the same packages for either platform, and native ones of that alone', async () => {
      const lists = []
      for (const { files } of [packages, otherPackages]) {
        const { packages: installed } = JSON.parse(
          await readFile(join(files, 'hub/node_modules/.package-lock.json'), 'utf8'),
        )
        lists.push(Object.keys(installed).map(name => name.replace(/x64|arm64/, 'CPU')))
      }
      assert.deepEqual(lists[0], lists[1])
      const own = platform as keyof typeof machines
      const other = own === 'amd64' ? 'arm64' : 'amd64'
      assert.deepEqual(new Set(await readMachines(packages)), new Set([machines[own]]))
      assert.deepEqual(new Set(await readMachines(otherPackages)), new Set([machines[other]]))
    })

    test('can load every transport, and the clients of their servers', async () => {
      const transports = (await readdir(join(image.files, 'hub/dist/transports'))).filter(file => file.endsWith('.js'))
      assert.ok(transports.length > 4)
      const clients = Object.keys(manifest.optionalDependencies)
      const names = [...clients, ...transports.map(file => `/transports/${file}`)]
      const script = names.map(name => `await import('${name.replace(/^\//, `${image.files}/hub/dist/`)}')`).join('\n')
      const { code, err } = await execute({ image, volume: join(image.files, 'hub/dist') }, [
        'node',
        '--input-type=module',
        '-e',
        script,
      ])
      assert.deepEqual({ code, err }, { code: 0, err: '' })
    })
  })

  describe('as it runs', () => {
    test('is ready and healthy, stores what is published, stops when it is told to, and goes on where it was', async () => {
      const order = await orderHub({ JWT_KEY: testKey, ALLOW_ANONYMOUS: 'true' })
      assert.equal((await execute(order, image.config.healthcheck)).code, 1)
      {
        await using hub = await Container.start(order)
        await hub.process.url()
        if (hasNamespaces) assert.equal(hub.process.log.at(-1)?.pid, 1)
        assert.deepEqual(await execute(order, image.config.healthcheck), { code: 0, out: 'ready\n', err: '' })
        assert.deepEqual(await execute(order, ['talaria', 'health', '--alive']), { code: 0, out: 'ok\n', err: '' })
        await publish(order.url, 'first')
        await hub.signal(image.config.stopSignal as NodeJS.Signals)
        assert.equal(await hub.process.exit(), 0)
        assert.ok(hub.process.messages.includes('stopped'))
      }
      const { code, err } = await execute(order, image.config.healthcheck)
      assert.equal(code, 1)
      assert.match(err, /^No hub answers at 127\.0\.0\.1:\d+: connect ECONNREFUSED/)
      {
        await using hub = await Container.start(order)
        await hub.process.url()
        await publish(order.url, 'second')
        await hub.signal('SIGKILL')
        await hub.process.exit()
      }
      await using hub = await Container.start(order)
      await hub.process.url()
      const stream = await EventStream.open(`${order.url}?topic=*&last_event_id=earliest`)
      await stream.take(2)
      assert.deepEqual(stream.data, ['first', 'second'])
      stream.close()
    })

    test('writes to its volume alone', async () => {
      const { out } = await execute({ image, volume: await makeVolume() }, [
        'find',
        image.files,
        '-writable',
        '-not',
        '-type',
        'l',
      ])
      const own = out.split('\n').filter(path => path.startsWith(join(image.files, 'hub')))
      assert.deepEqual(own, [])
    })

    test('has workers', async () => {
      const order = await orderHub({ JWT_KEY: testKey, ALLOW_ANONYMOUS: 'true', WORKERS: '2' })
      await using hub = await Container.start(order)
      await hub.process.url()
      const stream = await EventStream.open(`${order.url}?topic=*`)
      await publish(order.url, 'x')
      await stream.take()
      stream.close()
      await hub.signal('SIGTERM')
      assert.equal(await hub.process.exit(), 0)
    })

    test('has no key: without one it ends, and says how to make one', async () => {
      await using hub = await Container.start({ image, volume: await makeVolume() })
      assert.equal(await hub.process.exit(), 1)
      assert.match(
        hub.process.stderr,
        /nobody could publish: set jwt_key .*`openssl rand -base64 48` makes a secret; .* JWT_KEY/,
      )
    })

    test('tells whose a volume must be', {
      skip: !isRoot && 'Only root has a volume that the hub may not write to.',
    }, async () => {
      const volume = await build.makeDirectory('of-root')
      await chmod(volume, 0o755)
      await using hub = await Container.start({ image, volume, env: { JWT_KEY: testKey, ADDR: '127.0.0.1:0' } })
      assert.equal(await hub.process.exit(), 1)
      assert.match(hub.process.stderr, /this process runs as user 1000, who may not write to the directory/)
    })

    test('a command that waits ends when it is told to, as process 1 too', async () => {
      await using silent = createServer(() => {}).listen(0, '127.0.0.1')
      await once(silent, 'listening')
      const { port } = silent.address() as { port: number }
      const env = { JWT_KEY: testKey, ADDR: `127.0.0.1:${port}` }
      await using command = await Container.start({ image, volume: await makeVolume(), env, command: ['health'] })
      const ended = command.process.exit().then(() => assert.fail(command.process.stderr))
      const [connection] = await Promise.race([once(silent, 'connection'), ended])
      ended.catch(() => {})
      await command.signal('SIGTERM')
      assert.ok([143, 'SIGTERM'].includes((await command.process.exit())!))
      connection.destroy()
    })
  })

  describe('in the place of the reference hub’s', () => {
    const keys = { MERCURE_PUBLISHER_JWT_KEY: testKey, MERCURE_SUBSCRIBER_JWT_KEY: testKey }
    const symfony0x = { ...keys, MERCURE_EXTRA_DIRECTIVES: 'cors_origins http://127.0.0.1:8000\n' }
    const command = ['/usr/bin/caddy', 'run', '--config', '/etc/caddy/dev.Caddyfile']

    /** What `talaria check` says that an environment means. */
    const check = async (env: Readonly<Record<string, string>>) => {
      const { code, out } = await execute({ image, volume: await makeVolume(), env }, ['talaria', 'check', '--json'])
      const { meaning, warnings } = JSON.parse(out)
      assert.equal(code, 0)
      return { listens: meaning.address[0], warnings: warnings as string[] }
    }

    test('Symfony’s service of 0.x, with the command that makes it one for development', async () => {
      const { listens, warnings } = await check(symfony0x)
      assert.deepEqual([listens, warnings], ['Listens on :80, on every interface, plain HTTP.', []])
      const order = await orderHub(symfony0x)
      await using hub = await Container.start({ ...order, command })
      await hub.process.url()
      assert.match(
        String(hub.process.messages[0]),
        /^command: "caddy run" with the dev\.Caddyfile .* take the command out\.$/,
      )
      const headers = { Origin: 'http://127.0.0.1:8000' }
      const stream = await EventStream.open(`${order.url}?topic=https://example.com/{id}`, { headers })
      assert.equal(stream.response.headers.get('access-control-allow-origin'), headers.Origin)
      const id = await publish(order.url, 'x')
      assert.equal((await stream.take())[0]?.id, id)
      stream.close()
    })

    test('Symfony’s service of 1.0', async () => {
      const env = {
        ...keys,
        MERCURE_TRUSTED_ISSUERS: 'https://localhost',
        MERCURE_EXTRA_DIRECTIVES: 'playground\ncors_origins http://127.0.0.1:8000\n',
      }
      const order = await orderHub(env)
      await using hub = await Container.start(order)
      await hub.process.url()
      const grant = (action: string) =>
        signAccessToken(order.url, [{ actions: [action], topics: [{ match: '*' }] }], { iss: 'https://localhost' })
      // Over plain HTTP its cookie is not called __Secure-….
      const headers = { Cookie: `mercure_access_token=${await grant('subscribe')}` }
      const stream = await EventStream.open(`${order.url}?match=https://example.com/1`, { headers })
      const id = await publish(order.url, 'x', await grant('publish'), { private: 'on' })
      assert.equal((await stream.take())[0]?.id, id)
      stream.close()
    })

    test('API Platform’s variables, with all that is not for a hub', async () => {
      const env = {
        ...keys,
        SERVER_NAME: 'localhost, php:80',
        PWA_UPSTREAM: 'pwa:3000',
        TRUSTED_PROXIES: '127.0.0.0/8,10.0.0.0/8',
        TRUSTED_HOSTS: '^localhost|php$',
        DATABASE_URL: 'postgresql://app:x@database:5432/app',
        MERCURE_URL: 'http://php/.well-known/mercure',
        MERCURE_PUBLIC_URL: 'https://localhost/.well-known/mercure',
        MERCURE_JWT_SECRET: 'x',
        CADDY_GLOBAL_OPTIONS: 'debug',
        MERCURE_EXTRA_DIRECTIVES: 'anonymous\nsubscriptions',
      }
      const { listens, warnings } = await check(env)
      assert.equal(listens, 'Listens on :80, on every interface, plain HTTP.')
      assert.equal(warnings.length, 2, warnings.join('\n'))
      assert.match(warnings.join('\n'), /CADDY_GLOBAL_OPTIONS has no effect.*\n.*SERVER_NAME asks for HTTPS/)
      const order = await orderHub(env)
      await using hub = await Container.start(order)
      await hub.process.url()
      const stream = await EventStream.open(`${order.url}?topic=*`)
      const id = await publish(order.url, 'x')
      assert.equal((await stream.take(1))[0]?.id, id)
      stream.close()
    })

    test('a directive that does not exist stops it, by its name', async () => {
      const env = { ...keys, MERCURE_EXTRA_DIRECTIVES: 'anonymous\ncors_origin *' }
      await using hub = await Container.start({ image, volume: await makeVolume(), env })
      assert.equal(await hub.process.exit(), 1)
      assert.match(hub.process.stderr, /line 2: there is no directive "cors_origin"\. Did you mean "cors_origins"\?/)
    })
  })

  describe('as docs/docker.md has it', async () => {
    const text = await readFile(join(root, 'docs/docker.md'), 'utf8')
    const blocks = [...text.matchAll(/^( *)```(\w+)\n(.*?)^ *```$/gms)].map(([, indent, language, block = '']) => ({
      language,
      block: block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }))
    const shell = blocks.filter(({ language }) => language === 'sh').map(({ block }) => block)
    const noOpenssl = spawnSync('openssl', ['version']).status !== 0 && 'There is no openssl here.'

    test('`docker run` is given a key, and `docker exec` makes a token of it', { skip: noOpenssl }, async () => {
      const calls = await readCalls(shell.join('\n'))
      const runs = calls.filter(({ words }) => words[0] === 'run')
      assert.equal(runs.length, 2)
      for (const { words } of runs) {
        assert.equal(words.at(-1), 'talaria')
        assert.deepEqual([words[words.indexOf('-e') + 1], words[words.indexOf('-p') + 1]], ['JWT_KEY', '3000:80'])
      }
      const order = await orderHub({ JWT_KEY: runs[0]!.env.JWT_KEY! })
      await using hub = await Container.start(order)
      await hub.process.url()
      for (const { words } of calls.filter(({ words }) => words[0] === 'exec')) {
        const { code, out } = await execute(order, words.slice(2))
        assert.equal(code, 0, out)
        if (words.includes('sh')) await publish(order.url, 'x', out.trim())
      }
    })

    test('services of compose files start, and are healthy', async () => {
      const services = blocks
        .filter(({ language }) => language === 'yaml')
        .flatMap(({ block }) => Object.values(readServices(block)).filter(service => service.image === 'talaria'))
      assert.equal(services.length, 3)
      const starts = services.map(async ({ environment = {} }) => {
        const { JWT_KEY_FILE: file, ...env } = environment
        const order = await orderHub({ ...env, ...(file !== undefined && { JWT_KEY: testKey }) })
        await using hub = await Container.start(order)
        await hub.process.url()
        assert.equal((await execute(order, image.config.healthcheck)).code, 0)
        // What applications sign today, with the key that the page shows.
        const key = env.MERCURE_PUBLISHER_JWT_KEY ?? testKey
        await publish(order.url, 'x', await signToken({ mercure: { publish: ['*'] } }, key))
      })
      await Promise.all(starts)
    })
  })
})

/** For which processors the native modules are. */
async function readMachines({ files }: Built): Promise<number[]> {
  const found = []
  for await (const file of glob('**/*.node', { cwd: files })) {
    await using handle = await open(join(files, file))
    const { buffer } = await handle.read(Buffer.alloc(20), 0, 20, 0)
    assert.equal(buffer.toString('latin1', 1, 4), 'ELF', file)
    found.push(buffer.readUInt16LE(18))
  }
  return found
}

/** Runs lines of a shell whose `docker` only tells how it was called. */
async function readCalls(script: string): Promise<{ words: string[]; env: Record<string, string> }[]> {
  const tell = 'docker() { node -e "$TELL" -- "$@"; }'
  const TELL = 'console.log(JSON.stringify({ words: process.argv.slice(1), env: { JWT_KEY: process.env.JWT_KEY } }))'
  const { stdout } = await promisify(execFile)('sh', ['-ec', `${tell}\n${script}`], { env: { ...process.env, TELL } })
  return stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
}

async function publish(url: string, data: string, token?: string, more: Record<string, string> = {}): Promise<string> {
  const answer = await fetch(url, {
    method: 'POST',
    body: new URLSearchParams({ topic: 'https://example.com/1', data, ...more }),
    headers: { Authorization: `Bearer ${token ?? (await signToken({ mercure: { publish: ['*'] } }))}` },
  })
  const text = await answer.text()
  assert.equal(answer.status, 200, text)
  return text
}
