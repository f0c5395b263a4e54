import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Browser, chromium, type LaunchOptions, type Page } from 'playwright-core'

/** A real Chromium without a window. */
export interface Chromium {
  /** In one sentence why this machine has none, as the reason of a skipped test; `false`: it has one. */
  readonly missing: string | false
  /** A blank page with cookies of its own. It believes any certificate. */
  openPage(): Promise<Page>
  close(): Promise<void>
}

const options: LaunchOptions = {
  headless: true,
  timeout: 60_000,
  // Tests talk to this machine alone; so should the browser. Web security stays on: the rules between origins are under test.
  args: ['--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-sync', '--no-first-run'],
}

/**
 * Launches the first Chromium that runs: the one that `CHROMIUM_PATH` names, or else the one that an npm package carries, or one of
 * the system.
 */
export async function openChromium(): Promise<Chromium> {
  const { browser, problems } = await launch()
  const advice = 'Install one (apt-get install chromium, for example), or name one in CHROMIUM_PATH.'
  return {
    missing: browser === undefined && `No Chromium runs here: ${problems.join(' ')} ${advice}`,
    async openPage() {
      if (browser === undefined) throw new Error('A test that needs Chromium is to be skipped where it is missing.')
      return await browser.newPage({ ignoreHTTPSErrors: true })
    },
    close: async () => browser?.close(),
  }
}

async function launch(): Promise<{ browser: Browser | undefined; problems: string[] }> {
  const problems: string[] = []
  for (const [name, candidate] of candidates()) {
    try {
      return { browser: await chromium.launch({ ...options, ...(await candidate()) }), problems }
    } catch (error) {
      problems.push(`${name}: ${error instanceof Error ? error.message.split('\n', 1)[0] : error}`)
    }
  }
  return { browser: undefined, problems }
}

function candidates(): [name: string, candidate: () => Promise<LaunchOptions>][] {
  const { CHROMIUM_PATH } = process.env
  if (CHROMIUM_PATH !== undefined) return [['CHROMIUM_PATH', async () => ({ executablePath: CHROMIUM_PATH })]]
  return [
    ['@sparticuz/chromium', packaged],
    ['@sparticuz/chromium with its own libraries', packagedWithLibraries],
    ['system', installed],
    ['Chrome', async () => ({ channel: 'chrome' })],
  ]
}

async function packaged(): Promise<LaunchOptions> {
  return { executablePath: join(await unpack(), 'chromium') }
}

/** For machines without NSS and Expat, which the binary links to. */
async function packagedWithLibraries(): Promise<LaunchOptions> {
  const dir = await unpack()
  const env = { ...process.env, LD_LIBRARY_PATH: join(dir, 'al2023', 'lib') }
  return { executablePath: join(dir, 'chromium'), env: env as Record<string, string> }
}

async function installed(): Promise<LaunchOptions> {
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
      const executablePath = join(dir, name)
      if (await exists(executablePath)) return { executablePath }
    }
  }
  throw new Error('there is no chromium in PATH.')
}

/**
 * The package unpacks into the directory for temporary files, under names that anybody may have taken, and takes a half-written file
 * for a whole one. So it unpacks into a directory of its own, which gets its name when it is whole: test files start at the same time.
 */
async function unpack(): Promise<string> {
  const entry = import.meta.resolve('@sparticuz/chromium')
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('it is for Linux on x64 only.')
  const { version } = JSON.parse(await readFile(new URL('../package.json', entry), 'utf8'))
  const cache = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url))
  const dir = join(cache, `chromium-${version}`)
  if (await exists(dir)) return dir
  await mkdir(cache, { recursive: true })
  const unfinished = await mkdtemp(`${dir}-`)
  try {
    const archives = ['chromium.br', 'al2023.tar.br'].map(name => fileURLToPath(new URL(`../bin/${name}`, entry)))
    const script = `import { inflate } from '${entry}'; await Promise.all(process.argv.slice(1).map(file => inflate(file)))`
    await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script, ...archives], {
      env: { ...process.env, TMPDIR: unfinished },
    })
    await rename(unfinished, dir)
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    if (!(await exists(dir))) throw error
  }
  return dir
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
