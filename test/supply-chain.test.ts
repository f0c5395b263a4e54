import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { access, cp, glob, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { parse } from 'yaml'
import manifest from '../package.json' with { type: 'json' }
import lock from '../package-lock.json' with { type: 'json' }
import { helmProgram, noHelm } from './support/helm.ts'
import { root } from './support/process.ts'

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end, with more variables than this process has. */
const run = (program: string, args: readonly string[], env: Record<string, string> = {}, cwd = root) =>
  new Promise<Ended>(resolve => {
    execFile(program, args, { cwd, env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })

const scratch = async (t: TestContext): Promise<string> => {
  const directory = await mkdtemp(join(tmpdir(), 'talaria-supply-'))
  t.after(() => rm(directory, { recursive: true }))
  return directory
}

/** What `npm pack` makes of the package's name: a scope is a part of it like any other. */
const packed = manifest.name.replace('@', '').replace('/', '-')
const shipped = Object.entries(lock.packages).filter(([path, one]) => path !== '' && !('dev' in one))

describe('the licences', () => {
  const judge = (args: readonly string[] = []) => run(process.execPath, ['scripts/licences.mjs', ...args])

  test('of all that is shipped are told, and permissive', async () => {
    const { code, stdout, stderr } = await judge()
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    const lines = stdout.trim().split('\n')
    assert.equal(lines.length, shipped.length)
    assert.ok(lines.some(line => /^hono [\d.]+: MIT$/.test(line)))
    assert.ok(!lines.some(line => line.startsWith('typescript ')))
  })

  test('that are not permissive are refused by the name of the package, but for development', async t => {
    const licences: Readonly<Record<string, string | undefined>> = {
      a: 'MIT',
      b: '(MIT OR GPL-3.0-only)',
      c: 'Apache-2.0 WITH LLVM-exception',
      d: 'ISC AND (BSD-3-Clause OR LGPL-3.0-only)',
      f: 'AGPL-3.0-only',
      g: 'MIT AND GPL-2.0-only',
      h: 'SEE LICENSE IN LICENSE.md',
      i: undefined,
      j: 'MIT OR',
      k: '(MIT',
      l: 'GPL-2.0-only AND MIT OR LGPL-3.0-only',
      m: 'toString',
    }
    const packages = Object.entries(licences).map(([name, license]) => [
      `node_modules/x/node_modules/${name}`,
      { version: '1.0.0', license },
    ])
    const development = { 'node_modules/dev': { version: '1.0.0', license: 'GPL-3.0-only', dev: true } }
    const file = join(await scratch(t), 'package-lock.json')
    await writeFile(file, JSON.stringify({ packages: { '': {}, ...Object.fromEntries(packages), ...development } }))
    const { code, stderr } = await judge([file])
    assert.equal(code, 1)
    assert.deepEqual(
      stderr
        .trim()
        .split('\n')
        .map(line => line[0]),
      ['f', 'g', 'h', 'i', 'j', 'k', 'l', 'm'],
    )
    assert.match(stderr, /^f 1\.0\.0 is under AGPL-3\.0-only/m)
    assert.match(stderr, /^i 1\.0\.0 tells no licence/m)
  })
})

describe('the audit', () => {
  /** Asks a registry here, which knows these advisories; `null`: which does not answer that. */
  const audit = async (t: TestContext, advisories: object | null, env: Record<string, string> = {}) => {
    const registry = createServer((request, answer) => {
      const isQuestion = request.url?.endsWith('/security/advisories/bulk') === true && advisories !== null
      request.resume().on('end', () => {
        answer.writeHead(isQuestion ? 200 : 404, { 'Content-Type': 'application/json' })
        answer.end(JSON.stringify(isQuestion ? advisories : {}))
      })
    }).listen(0, '127.0.0.1')
    await once(registry, 'listening')
    t.after(() => {
      registry.close()
      registry.closeAllConnections()
    })
    const url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`
    const own = { npm_config_registry: url, npm_config_cache: await scratch(t), TALARIA_AUDIT: '', ...env }
    return await run(process.execPath, ['scripts/audit.mjs'], own)
  }
  const advise = (severity: string) => ({
    jose: [{ id: 1, url: 'https://advisories.example/1', title: 'Takes any key', severity, vulnerable_versions: '*' }],
  })

  test('passes where nothing is known', async t => {
    const { code, stdout } = await audit(t, {})
    assert.deepEqual([code, stdout], [0, '0 known vulnerabilities, 0 of them high, 0 critical.\n'])
  })

  test('fails where something is known that is high, and names it', async t => {
    for (const severity of ['high', 'critical']) {
      const { code, stdout } = await audit(t, advise(severity))
      assert.equal(code, 1)
      assert.match(stdout, new RegExp(`^${severity}: jose .*Takes any key \\(https://advisories\\.example/1\\)`, 'm'))
    }
  })

  test('tells of what is less', async t => {
    const { code, stdout } = await audit(t, advise('moderate'))
    assert.equal(code, 0)
    assert.match(stdout, /^moderate: jose /m)
  })

  test('says when nobody answers, and fails only where an answer is required', async t => {
    const { code, stderr } = await audit(t, null)
    assert.equal(code, 0)
    assert.match(stderr, /^The registry tells nothing of vulnerabilities: 404 Not Found/)
    assert.equal((await audit(t, null, { TALARIA_AUDIT: 'required' })).code, 1)
  })
})

describe('the workflows', async () => {
  interface Step {
    readonly run?: string
    readonly uses?: string
    readonly with?: Readonly<Record<string, unknown>>
    readonly env?: Readonly<Record<string, string>>
  }
  interface Job {
    readonly needs?: string
    readonly uses?: string
    readonly permissions?: Readonly<Record<string, string>>
    readonly steps?: readonly Step[]
    readonly 'timeout-minutes'?: number
  }
  interface Workflow {
    readonly on: Readonly<Record<string, unknown>>
    readonly permissions: Readonly<Record<string, string>>
    readonly jobs: Readonly<Record<string, Job>>
  }
  const files = await Array.fromAsync(glob('.github/workflows/*.yml', { cwd: root }))
  const workflows: Record<string, Workflow> = {}
  for (const file of files) workflows[basename(file)] = parse(await readFile(join(root, file), 'utf8'))
  const jobs = Object.values(workflows).flatMap(workflow => Object.values(workflow.jobs))
  const steps = jobs.flatMap(job => job.steps ?? [])
  const commands = steps.flatMap(step => step.run ?? [])

  test('run what everybody can run: each script that they name is there', async () => {
    const named = commands.flatMap(command => command.match(/(?<![\w./-])(?:\.ci|scripts)\/[\w.-]+/g) ?? [])
    assert.deepEqual([...new Set(named)].toSorted(), ['.ci/run', 'scripts/release-channel.sh', 'scripts/release.sh'])
    for (const script of named) await access(join(root, script), constants.X_OK)
    assert.ok(workflows['ci.yml']!.jobs.ci!.steps!.some(step => step.run === '.ci/run'))
    const text = `${await readFile(join(root, '.ci/run'), 'utf8')}${await readFile(join(root, 'scripts/release.sh'), 'utf8')}`
    for (const [, script = ''] of `${text}${commands.join('\n')}`.matchAll(/npm run (?:--silent )?([\w-]+)/g)) {
      assert.ok(script in manifest.scripts, script)
    }
    for (const script of ['licences', 'audit', 'lint', 'types'])
      assert.match(text, new RegExp(`npm run --silent ${script}\\b`))
  })

  test('release nothing that .ci/run has not found good', () => {
    const { ci, ...others } = workflows['release.yml']!.jobs
    assert.equal(ci!.uses, './.github/workflows/ci.yml')
    assert.ok('workflow_call' in workflows['ci.yml']!.on)
    // One after the other: nothing is told of before all of it is there.
    const order = ['ci', ...Object.keys(others)]
    assert.deepEqual(order, ['ci', 'files', 'image', 'npm', 'release'])
    assert.deepEqual(
      Object.values(others).map(({ needs }) => needs),
      order.slice(0, -1),
    )
  })

  test('publish the files that scripts/release.sh makes, in the place that the tag is for', () => {
    const { image, ...others } = workflows['release.yml']!.jobs
    const published = Object.values(others).flatMap(({ steps = [] }) => steps.flatMap(({ run }) => run ?? []))
    const names = published.flatMap(command =>
      [...command.matchAll(/"(?:\.\/)?release\/([^"]+)"/g)].map(([, name]) => name),
    )
    assert.deepEqual(names, [`${packed}-\${GITHUB_REF_NAME#v}.tgz`, `talaria-chart-\${GITHUB_REF_NAME#v}.tgz`])
    assert.match(published.join('\n'), /^npm publish .* --tag "\$channel"$/m)
    const { tags } = image!.steps!.at(-1)!.with!
    const outputs = [...String(tags).matchAll(/outputs\.(\w+)/g)].map(([, name]) => name)
    assert.deepEqual(outputs, ['image', 'version', 'image', 'channel'])
    for (const command of [...published, ...image!.steps!.map(({ run = '' }) => run)])
      assert.doesNotMatch(command, /\$\{?GITHUB_REPOSITORY(_OWNER)?(?!,,\}|_OWNER)/, command)
  })

  test('use actions of known versions', () => {
    const used = [...steps, ...jobs].flatMap(({ uses }) => uses ?? []).filter(name => !name.startsWith('./'))
    assert.ok(used.length > 0)
    for (const action of used) assert.match(action, /^[\w-]+\/[\w-]+@(v\d+\.\d+\.\d+|[0-9a-f]{40})$/)
  })

  test('may do no more than they need', () => {
    for (const [file, { on, permissions, jobs }] of Object.entries(workflows)) {
      assert.deepEqual(permissions, { contents: 'read' }, file)
      assert.ok(!('pull_request_target' in on), file)
      for (const job of Object.values(jobs)) {
        if (job.uses === undefined) assert.ok(job['timeout-minutes']! <= 90)
        if (job.permissions !== undefined) assert.equal(file, 'release.yml')
      }
    }
    for (const { uses, with: options } of steps) {
      if (uses?.startsWith('actions/checkout@')) assert.equal(options?.['persist-credentials'], false)
    }
    // What somebody else may write, such as the name of a branch, must not become part of a command.
    for (const command of commands) assert.ok(!command.includes('${{'), command)
  })
})

test('the project says everywhere where it is', async () => {
  const [, repository = ''] = /^git\+https:\/\/github\.com\/([\w-]+\/[\w-]+)\.git$/.exec(manifest.repository.url) ?? []
  const page = `https://github.com/${repository}`
  const [owner] = repository.split('/')
  const said: Readonly<Record<string, string>> = {
    'package.json': `"${page}/issues"`,
    'SECURITY.md': `${page}/security/advisories/new`,
    'CONTRIBUTING.md': `npm trust github ${manifest.name} --repository ${repository} --file release.yml`,
    Dockerfile: `image.source="${page}"`,
    'charts/talaria/Chart.yaml': `home: ${page}\n`,
    'docs/docker.md': `ghcr.io/${repository}`,
    'docs/kubernetes.md': `oci://ghcr.io/${owner}/charts/talaria`,
  }
  for (const [file, text] of Object.entries(said))
    assert.ok((await readFile(join(root, file), 'utf8')).includes(text), `${file}: ${text}`)
})

describe('scripts/release-channel.sh', () => {
  const channelOf = (tag: string) => run(join(root, 'scripts/release-channel.sh'), [tag])
  for (const [tag, channel] of [
    ['v1.2.3', 'latest'],
    ['v0.10.0', 'latest'],
    ['v1.2.3-rc.1', 'next'],
    ['v1.2.3-0', 'next'],
  ] as const) {
    test(`${tag} is ${channel}`, async () => {
      assert.deepEqual(await channelOf(tag), { code: 0, stdout: `${channel}\n`, stderr: '' })
    })
  }
  for (const tag of ['1.2.3', 'v1.2', 'v01.2.3', 'v1.2.3-', 'v1.2.3+build', 'version']) {
    test(`${tag} is refused`, async () => {
      const stderr = `The tag ${tag} is not of a release: v1.2.3, or v1.2.3-rc.1.\n`
      assert.deepEqual(await channelOf(tag), { code: 1, stdout: '', stderr })
    })
  }
})

test('a release is of the package, the chart, their bill of materials and licences', { skip: noHelm }, async t => {
  const directory = await scratch(t)
  const checkout = join(directory, 'checkout')
  const left = new Set(['node_modules', 'dist', 'coverage', '.git', 'test', 'docs'])
  await cp(root, checkout, {
    recursive: true,
    filter: source => !left.has(source.slice(root.length).replace(/^\//, '')),
  })
  await symlink(join(root, 'node_modules'), join(checkout, 'node_modules'))
  const env = { HELM: helmProgram, IMAGE: 'registry.example/talaria' }
  const release = (...args: string[]) => run(join(checkout, 'scripts/release.sh'), args, env, directory)

  const out = join(directory, 'out')
  const refuses = async (message: string, ...args: string[]) =>
    assert.deepEqual(await release('out', ...args), { code: 1, stdout: '', stderr: `${message}\n` })

  const { version } = manifest
  await refuses(`The tag is v99.0.0, but package.json has ${version}: the tag must be v${version}.`, 'v99.0.0')
  const description = join(checkout, 'charts/talaria/Chart.yaml')
  const written = await readFile(description, 'utf8')
  for (const key of ['version', 'appVersion']) {
    await writeFile(description, written.replace(new RegExp(`^${key}: .*`, 'm'), `${key}: 99.0.0`))
    await refuses(
      `charts/talaria/Chart.yaml has the ${key} 99.0.0, but package.json has ${version}: both must be the same.`,
    )
  }
  await writeFile(description, written)

  // Of an older release, which goes, and of somebody else, which stays, and with it all else.
  const [older, foreign] = [`${packed}-0.0.1.tgz`, '.mine']
  for (const file of [older, foreign]) await writeFile(join(out, file), '')
  const advice = 'name a directory that is empty, or that does not exist.'
  await refuses(`${out} has ${foreign}, which is not of a release: ${advice}`)
  assert.deepEqual((await readdir(out)).toSorted(), [foreign, older].toSorted())
  await rm(join(out, foreign))

  const { code, stderr } = await release('out', `v${manifest.version}`)
  assert.equal(code, 0, stderr)
  const chart = `talaria-chart-${manifest.version}.tgz`
  const files = ['SHA256SUMS', 'licences.txt', 'sbom.cdx.json', `${packed}-${manifest.version}.tgz`, chart]
  assert.deepEqual((await readdir(out)).toSorted(), files.toSorted())
  assert.equal((await run('sha256sum', ['--check', '--strict', 'SHA256SUMS'], {}, out)).code, 0)

  const materials = JSON.parse(await readFile(join(out, 'sbom.cdx.json'), 'utf8'))
  const { name, version: described } = materials.metadata.component
  assert.deepEqual([materials.bomFormat, name, described], ['CycloneDX', 'talaria', version])
  const told = materials.components.map(({ purl }: { purl: string }) =>
    decodeURIComponent(purl.replace('pkg:npm/', '')),
  )
  const names = shipped.map(([path, one]) => `${path.split('node_modules/').at(-1)}@${one.version}`)
  assert.deepEqual([...new Set(told)].toSorted(), [...new Set(names)].toSorted())

  const { length } = (await readFile(join(out, 'SHA256SUMS'), 'utf8')).trim().split('\n')
  assert.equal(length, files.length - 1)

  const rendered = await run(helmProgram, ['template', 'hub', join(out, chart), '--kube-version', '1.37.0'])
  assert.match(rendered.stdout, new RegExp(`image: "registry\\.example/talaria:${manifest.version}"`))
})
