import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Why what runs on Java cannot be had; `false`: it can. */
export async function lacksJava(): Promise<string | false> {
  const missing: string[] = []
  for (const program of ['java', 'mvn']) {
    try {
      await run(program, ['-version'])
    } catch {
      missing.push(program)
    }
  }
  return (
    missing.length > 0 && `There is no ${missing.join(', no ')} here: apt-get install openjdk-17-jre-headless maven.`
  )
}

/**
 * The jars that a POM names, from Maven Central: fetched when they are first wanted, and kept outside of the checkout for the next time.
 * @returns the class path
 */
export async function fetchJars(name: string, pom: URL): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'talaria')
  const directory = join(cache, name)
  const jars = join(directory, 'lib')
  if (!(await exists(jars))) {
    await mkdir(cache, { recursive: true })
    const draft = await mkdtemp(join(cache, `${name}-`))
    await copyFile(fileURLToPath(pom), join(draft, 'pom.xml'))
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', '-DoutputDirectory=lib']
    await run('mvn', ['-B', '-q', '-ntp', ...goal], { cwd: draft, maxBuffer: 16 << 20 })
    await putInPlace(draft, directory)
  }
  return (await readdir(jars)).map(jar => join(jars, jar)).join(':')
}

/** Another process may have been faster. */
async function putInPlace(draft: string, directory: string): Promise<void> {
  try {
    await rename(draft, directory)
  } catch {
    await rm(draft, { recursive: true })
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}
