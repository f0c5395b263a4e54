import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import manifest from '../../package.json' with { type: 'json' }
import lock from '../../package-lock.json' with { type: 'json' }
import { root } from './process.ts'

const run = promisify(execFile)

/** A program of Node by the npm package that holds it. */
const nodePackage = `node-${process.platform}-${process.arch}`
const lmdbBinary = `@lmdb/lmdb-${process.platform}-${process.arch}`
const locked: Readonly<Record<string, { version?: string }>> = lock.packages
const lmdb = locked['node_modules/lmdb']!.version

/** What an application has beside the hub. */
const ofApplication = [
  `hono@${manifest.dependencies.hono}`,
  `@hono/node-server@${manifest.dependencies['@hono/node-server']}`,
  'fastify@5',
  // Installations without optional packages leave out what lmdb has for this machine.
  `lmdb@${lmdb}`,
  `${lmdbBinary}@${lmdb}`,
  ...(process.platform === 'linux' ? [`${nodePackage}@24`] : []),
]

/** An application in an empty directory, with the package installed as `npm pack` makes it, and none of the optional ones. */
export class Installation implements AsyncDisposable {
  /** The paths in the package. */
  readonly files: readonly string[]
  /** Where the application is. */
  readonly directory: string
  readonly #scratch: string

  static async create(): Promise<Installation> {
    const scratch = await mkdtemp(join(tmpdir(), 'talaria-package-'))
    const directory = join(scratch, 'application')
    await mkdir(directory)
    await writeFile(join(directory, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
    const { filename, files } = await pack(join(scratch, 'checkout'), directory)
    const flags = ['--omit=optional', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund']
    await run('npm', ['install', ...flags, `./${filename}`, ...ofApplication], { cwd: directory })
    return new Installation(scratch, directory, files)
  }

  private constructor(scratch: string, directory: string, files: readonly string[]) {
    this.#scratch = scratch
    this.directory = directory
    this.files = files
  }

  /** A path in what is installed. */
  module(name: string): string {
    return join(this.directory, 'node_modules', name)
  }

  /** The oldest Node that the package is for; `undefined`: npm has none for this platform. */
  get oldestNode(): string | undefined {
    const node = this.module(`${nodePackage}/bin/node`)
    return existsSync(node) ? node : undefined
  }

  /** The command that the package brings, for a Node. */
  command(node: string): { command: string[]; env: Record<string, string> } {
    const env = { PATH: `${dirname(node)}:${process.env.PATH}` }
    return { command: [this.module('.bin/talaria'), '--config', '{config}'], env }
  }

  /** Runs `action` as on a machine for which lmdb has nothing. */
  async withoutLmdbBinary(action: () => Promise<void>): Promise<void> {
    const [here, away] = [this.module('@lmdb'), join(this.#scratch, 'lmdb')]
    await cp(here, away, { recursive: true })
    await rm(here, { recursive: true })
    try {
      await action()
    } finally {
      await cp(away, here, { recursive: true })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#scratch, { recursive: true })
  }
}

/** Runs `npm pack` in a copy of the checkout, in which an older build has left something. */
async function pack(checkout: string, destination: string): Promise<{ filename: string; files: readonly string[] }> {
  const left = new Set(['node_modules', 'dist', 'coverage', '.git'])
  await mkdir(checkout)
  for (const name of await readdir(root)) {
    if (!left.has(name)) await cp(join(root, name), join(checkout, name), { recursive: true })
  }
  await symlink(join(root, 'node_modules'), join(checkout, 'node_modules'))
  await mkdir(join(checkout, 'dist/src'), { recursive: true })
  await writeFile(join(checkout, 'dist/src/stale.js'), '')
  await run('npm', ['pack', '--pack-destination', destination], { cwd: checkout })
  const [tarball = ''] = (await readdir(destination)).filter(name => name.endsWith('.tgz'))
  assert.equal(basename(tarball), `${manifest.name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`)
  const { stdout } = await run('tar', ['-tzf', join(destination, tarball)])
  const files = stdout
    .trim()
    .split('\n')
    .map(path => path.replace(/^package\//, ''))
  return { filename: tarball, files }
}
