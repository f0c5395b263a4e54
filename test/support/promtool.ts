import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from './process.ts'
import { missing } from './services/missing.ts'

const run = promisify(execFile)

const script = readFileSync(join(root, 'scripts/chart-tools.sh'), 'utf8')
const [, version] = /^promtool_version=(.+)$/m.exec(script) ?? []
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'talaria')
const program = [process.env.PROMTOOL, 'promtool', join(cache, `promtool-${version}`, 'promtool')].find(
  program => program !== undefined && program !== '' && spawnSync(program, ['--version']).status === 0,
)

/** Why rules cannot be looked at here; `false`: they can. */
export const noPromtool =
  program === undefined && missing('There is no promtool here: scripts/chart-tools.sh fetches it.')

/** What `promtool` says of a file with this text, `{file}` among its arguments. @throws where it finds a fault */
export async function promtool(args: readonly string[], text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'talaria-promtool-'))
  const file = join(directory, 'file.yaml')
  try {
    await writeFile(file, text)
    const { stdout } = await run(
      program!,
      args.map(arg => (arg === '{file}' ? file : arg)),
    )
    return stdout
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`promtool ${args.join(' ')}\n${stdout}${stderr}`)
  } finally {
    await rm(directory, { recursive: true })
  }
}
