// `npm test [FILE…]`: every test of the project, or the named files. Arguments that begin with `-` go to Node's test runner.
import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { glob, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const given = process.argv.slice(2)
const flags = given.filter(argument => argument.startsWith('-'))
const files = given.filter(argument => !argument.startsWith('-'))
if (files.length === 0) for await (const file of glob('test/**/*.test.ts')) files.push(file)

// Which transport keeps which promise is told last, after what has failed.
const directory = await mkdtemp(join(tmpdir(), 'talaria-matrix-'))
const matrix = join(directory, 'matrix.txt')
const reporters = [
  ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
  ...[
    `--test-reporter=${fileURLToPath(new URL('matrix.mjs', import.meta.url))}`,
    `--test-reporter-destination=${matrix}`,
  ],
]
const isReported = flags.some(flag => flag.startsWith('--test-reporter'))
const options = ['--test', '--test-timeout=120000', ...(isReported ? [] : reporters), ...flags]
const runner = spawn(process.execPath, [...options, ...files.sort()], { stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => runner.kill(signal))
runner.on('exit', code => {
  if (!isReported) process.stdout.write(readFileSync(matrix, 'utf8'))
  rmSync(directory, { recursive: true })
  process.exit(code ?? 1)
})
