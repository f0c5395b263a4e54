import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium, type LaunchOptions, type Page } from 'playwright-core'
import { packagedChromium } from './packaged-chromium.ts'

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
    missing: browser === undefined && `No Chromium runs here: ${problems.join('; ')}. ${advice}`,
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
    ['@sparticuz/chromium', () => packagedChromium()],
    ['@sparticuz/chromium with its own libraries', () => packagedChromium({ ownLibraries: true })],
    ['system', installedChromium],
    ['Chrome', async () => ({ channel: 'chrome' })],
  ]
}

async function installedChromium(): Promise<LaunchOptions> {
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
      const executablePath = join(dir, name)
      if (existsSync(executablePath)) return { executablePath }
    }
  }
  throw new Error('there is none in PATH')
}
