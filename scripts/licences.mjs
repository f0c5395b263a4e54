// `npm run licences`: what the hub runs with, and under which licences, as the lock file has it. Fails where one of them is not permissive, or not
// told: who ships the hub must be able to do so under its own licence. Packages that only the development needs are not shipped, and not looked at.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** SPDX identifiers of licences that ask for no more than a notice. */
const permissive = new Set(
  '0BSD Apache-2.0 BlueOak-1.0.0 BSD-2-Clause BSD-3-Clause BSL-1.0 CC0-1.0 ISC MIT MIT-0 Python-2.0 Unlicense Zlib'.split(
    ' ',
  ),
)

const lock = process.argv[2] ?? fileURLToPath(new URL('../package-lock.json', import.meta.url))
const packages = readPackages(JSON.parse(readFileSync(lock, 'utf8')))
for (const { name, version, licence } of packages)
  process.stdout.write(`${name} ${version}: ${licence || 'not told'}\n`)
const refused = packages.filter(({ licence }) => !isPermissive(licence))
for (const { name, version, licence } of refused) {
  const fault = licence === '' ? 'tells no licence' : `is under ${licence}, which is not among the permissive ones`
  process.stderr.write(`${name} ${version} ${fault}: scripts/licences.mjs has those.\n`)
}
if (refused.length > 0) process.exitCode = 1

/** Whether an SPDX expression leaves a choice that is permissive. AND binds tighter than OR; an exception (WITH) only takes conditions away. */
function isPermissive(expression) {
  const plain = expression.replace(/ WITH [\w.-]+/g, '')
  const inner = /\(([^()]*)\)/.exec(plain)
  // Innermost parentheses first: what they hold is one licence to what is around them.
  if (inner !== null) return isPermissive(plain.replace(inner[0], isPermissive(inner[1]) ? 'MIT' : 'none'))
  const choices = plain.split(' OR ').map(choice => choice.split(' AND ').map(name => name.trim()))
  const isWhole = choices.flat().every(name => /^[\w.+-]+$/.test(name))
  return isWhole && choices.some(names => names.every(name => permissive.has(name)))
}

/** The packages that are shipped: `{ name, version, licence }`, sorted; `licence` is empty where none is told. */
function readPackages(lock) {
  return Object.entries(lock.packages)
    .filter(([path, { dev, link }]) => path !== '' && !dev && !link)
    .map(([path, { version, license }]) => ({
      name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
      version,
      licence: typeof license === 'string' ? license : '',
    }))
    .sort((a, b) => a.name.localeCompare(b.name, 'en') || a.version.localeCompare(b.version, 'en'))
}
