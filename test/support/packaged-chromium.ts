import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { LaunchOptions } from 'playwright-core'

/** `chromium.br` is the browser; the others are for machines that lack the libraries that it links to, or fonts. */
const archives = ['chromium.br', 'al2023.tar.br', 'fonts.tar.br']

/** Without any font, text has no size, and what has no size counts as not visible. */
const fontConfiguration = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir prefix="relative">fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
`

/**
 * How to launch the Chromium that the npm package `@sparticuz/chromium` carries. Its own flags are left out: they switch off
 * web security. `ownLibraries`: for machines without NSS and Expat.
 */
export async function packagedChromium({ ownLibraries = false } = {}): Promise<LaunchOptions> {
  const dir = await unpack()
  const libraries = ownLibraries ? { LD_LIBRARY_PATH: join(dir, 'al2023', 'lib') } : {}
  const env = { ...process.env, FONTCONFIG_FILE: join(dir, 'fonts.conf'), ...libraries }
  return { executablePath: join(dir, 'chromium'), env }
}

/**
 * The package unpacks into the directory for temporary files, under names that anybody may have taken, and takes a half-written file
 * for a whole one. So it unpacks into a directory of its own, which gets its name when it is whole: test files start at the same time.
 */
async function unpack(): Promise<string> {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('it is for Linux on x64 only')
  const entry = import.meta.resolve('@sparticuz/chromium')
  const { version } = JSON.parse(await readFile(new URL('../package.json', entry), 'utf8'))
  const cache = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url))
  const dir = join(cache, `chromium-${version}`)
  if (existsSync(dir)) return dir
  await mkdir(cache, { recursive: true })
  const unfinished = await mkdtemp(`${dir}-`)
  try {
    const files = archives.map(name => fileURLToPath(new URL(`../bin/${name}`, entry)))
    const script = `import { inflate } from '${entry}'; await Promise.all(process.argv.slice(1).map(file => inflate(file)))`
    const env = { ...process.env, TMPDIR: unfinished }
    await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script, ...files], { env })
    await writeFile(join(unfinished, 'fonts.conf'), fontConfiguration)
    await rename(unfinished, dir)
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    if (!existsSync(dir)) throw error
  }
  return dir
}
