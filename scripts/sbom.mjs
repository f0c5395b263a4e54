// Writes the bill of materials (CycloneDX) of what the hub runs with, as the lock file has it. `npm sbom --omit dev` leaves out whatever a package for
// development needs, too, and so much of what is shipped: npm is given a project that has no such packages.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const readRoot = file => JSON.parse(readFileSync(new URL(`../${file}`, import.meta.url), 'utf8'))
const withoutDevelopment = ({ devDependencies, ...manifest }) => manifest

const { packages, ...lock } = readRoot('package-lock.json')
const shipped = Object.entries(packages).filter(([, { dev }]) => !dev)
const project = {
  'package.json': withoutDevelopment(readRoot('package.json')),
  'package-lock.json': { ...lock, packages: { ...Object.fromEntries(shipped), '': withoutDevelopment(packages['']) } },
}

const scratch = mkdtempSync(join(tmpdir(), 'talaria-sbom-'))
// It names what it tells of by its directory.
const directory = join(scratch, 'talaria')
try {
  mkdirSync(directory)
  for (const [file, value] of Object.entries(project)) writeFileSync(join(directory, file), JSON.stringify(value))
  const npm = spawnSync('npm sbom --sbom-format=cyclonedx --sbom-type=application --package-lock-only', {
    cwd: directory,
    shell: true,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  process.exitCode = npm.status ?? 1
} finally {
  rmSync(scratch, { recursive: true })
}
