// `npm run build`, and before every `npm pack`: JavaScript and types in dist, with the files that the hub serves. Nothing of an older build stays.
import { spawnSync } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

rmSync(`${root}dist`, { recursive: true, force: true })
const compiler = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: ['ignore', 2, 2],
})
if (compiler.status !== 0) process.exit(compiler.status ?? 1)
cpSync(`${root}src/ui`, `${root}dist/src/ui`, { recursive: true })
