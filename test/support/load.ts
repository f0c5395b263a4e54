import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { LoadOptions } from '../../src/cli/bench/load.ts'
import type { Report } from '../../src/cli/bench/report.ts'
import { type BenchOptions, readOptions, runBench } from '../../src/cli/bench.ts'
import { main } from './process.ts'
import { publisherToken } from './token.ts'

export const benchDefaults: BenchOptions = {
  subscribers: '6',
  publishers: '2',
  rate: 'max',
  duration: '200ms',
  size: '100',
  topics: '1',
  match: 'topic',
  wait: '60s',
}
const never = new AbortController().signal

interface Deviation {
  readonly stop?: AbortSignal
  /** Options that the command does not leave to its user. */
  readonly load?: Partial<LoadOptions>
}

/** Loads a hub from this process. */
export async function bench(
  url: string,
  options: Partial<BenchOptions> = {},
  { stop = never, load = {} }: Deviation = {},
): Promise<Report> {
  const token = options.key === undefined ? { token: await publisherToken() } : {}
  const read = await readOptions(url, { ...benchDefaults, ...token, ...options })
  return await runBench({ ...read, ...load }, { stop, giveUp: never, stderr: new PassThrough() })
}

/** Runs the command as its user does, and ends it with Ctrl-C when `interruption` resolves. */
export async function runBenchCommand(
  args: readonly string[],
  interruption: Promise<unknown> = new Promise(() => {}),
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [main, 'bench', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  void interruption.then(() => child.kill('SIGINT'))
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code, stdout, stderr }
}

/** What accepts connections, and is no hub. */
export async function startStranger(
  connected: (socket: Socket) => void = () => {},
): Promise<{ readonly host: string } & AsyncDisposable> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)))
    connected(socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
