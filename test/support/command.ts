import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { text } from 'node:stream/consumers'
import { HubProcess, main } from './process.ts'
import { missing } from './services/missing.ts'

export interface Outcome {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>
  /** What is piped in; without it standard input is /dev/null. */
  readonly input?: string | Uint8Array
  readonly cwd?: string
}

const environment = (env: Readonly<Record<string, string>> = {}) => ({ PATH: process.env.PATH, HOME: tmpdir(), ...env })

/** Runs a program to its end; nothing of this process's environment reaches it. */
export async function runProgram(
  program: string,
  args: readonly string[],
  { env, input, cwd = tmpdir() }: CommandOptions = {},
): Promise<Outcome> {
  const child = spawn(program, args, {
    cwd,
    env: environment(env),
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  child.stdin?.on('error', () => {}).end(input)
  const [out, err, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'close')])
  return { code, out, err }
}

/** Runs `talaria` to its end. */
export const runCommand = (args: readonly string[], options?: CommandOptions): Promise<Outcome> =>
  runProgram(process.execPath, [main, ...args], options)

/** Starts `talaria`, to be watched while it runs. */
export const startCommand = (
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<HubProcess> => HubProcess.start({ command: [process.execPath, main, ...args], env })

/** Why what needs a program is skipped; `false`: it is here. */
export const isMissing = (program: string): string | false =>
  spawnSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status !== 0 &&
  missing(`this machine does not have ${program}`)

/** Runs `talaria` in a terminal of its own: what it shows there. */
export async function runInTerminal(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const line = [process.execPath, main, ...args].map(word => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
  const { out } = await runProgram('script', ['-qec', line, '/dev/null'], { env: { TERM: 'xterm', ...env }, input: '' })
  return out.replaceAll('\r\n', '\n')
}
