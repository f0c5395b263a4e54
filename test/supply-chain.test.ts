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
    assert.deepEqual([...new Set(named)].toSorted(), ['.ci/run', 'scripts/release.sh'])
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
    assert.ok(Object.keys(others).length > 0)
    for (const { needs } of Object.values(others)) assert.equal(needs, 'ci')
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

  const refused = await release('out', 'v99.0.0')
  assert.deepEqual(
    [refused.code, refused.stderr],
    [1, `The tag is v99.0.0, but package.json has ${manifest.version}: the tag must be v${manifest.version}.\n`],
  )

  const { code, stderr } = await release('out', `v${manifest.version}`)
  assert.equal(code, 0, stderr)
  const out = join(directory, 'out')
  const chart = `talaria-chart-${manifest.version}.tgz`
  const files = ['SHA256SUMS', 'licences.txt', 'sbom.cdx.json', `talaria-${manifest.version}.tgz`, chart]
  assert.deepEqual((await readdir(out)).toSorted(), files.toSorted())
  assert.equal((await run('sha256sum', ['--check', '--strict', 'SHA256SUMS'], {}, out)).code, 0)

  const materials = JSON.parse(await readFile(join(out, 'sbom.cdx.json'), 'utf8'))
  assert.deepEqual([materials.bomFormat, materials.metadata.component.version], ['CycloneDX', manifest.version])
  const names = new Set(materials.components.map(({ purl }: { purl: string }) => purl.replace(/@[^@]*$/, '')))
  for (const name of Object.keys(manifest.dependencies))
    assert.ok(names.has(`pkg:npm/${name.replace('@', '%40')}`), name)
  assert.ok(!names.has('pkg:npm/typescript'))

  const rendered = await run(helmProgram, ['template', 'hub', join(out, chart), '--kube-version', '1.37.0'])
  assert.match(rendered.stdout, new RegExp(`image: "registry\\.example/talaria:${manifest.version}"`))
})
