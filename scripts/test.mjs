// `npm test [FILE…]`: every test of the project, or the named files. Arguments that begin with `-` go to Node's test runner.
import { spawn } from 'node:child_process'
import { glob } from 'node:fs/promises'

const given = process.argv.slice(2)
const flags = given.filter(argument => argument.startsWith('-'))
const files = given.filter(argument => !argument.startsWith('-'))
if (files.length === 0) for await (const file of glob('test/**/*.test.ts')) files.push(file)

const runner = spawn(process.execPath, ['--test', '--test-timeout=120000', ...flags, ...files.sort()], {
  stdio: 'inherit',
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => runner.kill(signal))
runner.on('exit', code => process.exit(code ?? 1))
