import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, test } from 'node:test'
import manifest from '../../package.json' with { type: 'json' }
import { loadConfig } from '../../src/config/load.ts'
import { readDocument } from '../support/documents.ts'
import { main, root } from '../support/process.ts'
import { testKey } from '../support/token.ts'

// The unit of docs/operations.md.
const { snippets } = await readDocument('docs/operations.md')
const unit = snippets.find(({ language }) => language === 'ini')!.text
const settings = new Map([...unit.matchAll(/^(\w+)=(.*)$/gm)].map(([, key = '', value = '']) => [key, value]))
const read = (key: string): string => settings.get(key) ?? assert.fail(`the unit has no ${key}`)
const noSystemd =
  spawnSync('systemd-analyze', ['--version']).error !== undefined && 'This machine has no systemd-analyze.'

const directory = await mkdtemp(join(tmpdir(), 'talaria-unit-'))
after(() => rm(directory, { recursive: true }))

test('systemd takes the unit', { skip: noSystemd }, async () => {
  const [program = ''] = read('ExecStart').split(' ')
  const file = join(directory, 'talaria.service')
  // That the program is there is looked at, too.
  await writeFile(file, unit.replace(program, process.execPath))
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' })
  // A key that it does not know it ignores, and says so.
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' })
})

test('the unit runs the command of the package, which takes its arguments and finds its key', async () => {
  const [program = '', ...args] = read('ExecStart').split(' ')
  assert.ok(basename(program) in manifest.bin, program)
  const [credential = ''] = read('LoadCredential').split(':')
  await writeFile(join(directory, credential), testKey)
  const config = join(directory, 'mercure.yaml')
  await writeFile(config, 'transport_url: local://local\n')
  const [variable = '', value = ''] = read('Environment').split('=')
  // %d is where systemd puts credentials.
  const env = { PATH: process.env.PATH, HOME: directory, [variable]: value.replace('%d', directory) }
  const given = args.map(arg => (basename(arg) === 'mercure.yaml' ? config : arg))
  const { status, stderr } = spawnSync(process.execPath, [main, 'check', ...given], { env, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
})

test('the unit leaves the hub more time to stop than it takes', async () => {
  const { config } = await loadConfig({ cwd: root, env: {} })
  assert.ok(Number(read('TimeoutStopSec')) * 1000 > config.shutdownTimeoutMs)
})
