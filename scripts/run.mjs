// Runs a program of this project on the Node that package.json pins, installing the dependencies first where they are missing or
// out of date. `npm start`, `npm test` and every other script go through here, so that a fresh clone and an old system Node both work.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

installDependencies()
runPinned(process.argv.slice(2))

/** npm keeps what it installed beside the packages: when that says the same as the lock file, nothing is to be done. */
function installDependencies() {
  if (readLock('package-lock.json') === readLock('node_modules/.package-lock.json')) return
  process.stderr.write('Installing the dependencies of this checkout (npm ci) …\n')
  const install = 'npm ci --no-fund --no-audit --loglevel=error'
  // npm leaves out, without a word, what is optional and wants a newer Node than npm runs on: it then runs on the pinned one.
  const { version } = readPackages('package-lock.json')['node_modules/node']
  const isOld = major(process.versions.node) < major(version)
  if (isOld && run(`npm exec --yes --package=node@${version} --call="${install}"`)) return
  if (!run(install)) fail('npm ci failed: see above. Nothing was started.')
}

/** On Windows npm is a script, which only a shell starts; no argument here comes from outside. */
function run(command) {
  return spawnSync(command, { cwd: root, shell: true, stdio: ['ignore', 2, 2] }).status === 0
}

function major(version) {
  return Number(version.split('.', 1)[0])
}

/** Names, versions and checksums of the packages that this machine needs; platform-specific ones of other machines are left out. */
function readLock(file) {
  if (!existsSync(`${root}${file}`)) return undefined
  return JSON.stringify(
    Object.entries(readPackages(file))
      .filter(([path, { optional }]) => path !== '' && !optional)
      .map(([path, { version, integrity }]) => [path, version, integrity])
      .sort(),
  )
}

/** The packages that a lock file names, by their places. */
function readPackages(file) {
  return JSON.parse(readFileSync(`${root}${file}`, 'utf8')).packages ?? {}
}

function runPinned(programArguments) {
  const node = pinnedNode()
  const child = spawn(node, programArguments, { cwd: root, stdio: 'inherit' })
  child.on('error', error => fail(`${node} cannot be started: ${error.message}`))
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) process.on(signal, () => child.kill(signal))
  // npm runs this in a shell, which dies of a signal and does not pass it on: an orphan has been told to stop.
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent) child.kill('SIGTERM')
  }, 250).unref()
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
}

/** The npm package `node` carries a Node; where its platform is not offered, a system Node that is new enough will do. */
function pinnedNode() {
  const pinned = `${root}node_modules/node/bin/node`
  if (existsSync(pinned) && spawnSync(pinned, ['--version']).status === 0) return pinned
  if (major(process.versions.node) >= 24) return process.execPath
  return fail(
    `Node 24 or newer is needed; this is ${process.version}, and the npm package "node" has none for this platform.`,
  )
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
