import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { LogDirectory } from './bolt.ts'
import { HubProcess, main } from './process.ts'
import { testKey } from './token.ts'

/** A log whose hubs are killed, one after the other. */
export class KilledHubs implements AsyncDisposable {
  readonly #directory: LogDirectory
  readonly #env: Readonly<Record<string, string>>

  static async prepare(): Promise<KilledHubs> {
    const directory = await LogDirectory.create()
    // A process that is killed leaves no compiled code behind: this one does, and the others start sooner.
    const env = { NODE_COMPILE_CACHE: join(directory.path, 'compiled') }
    execFileSync(process.execPath, [main, '--help'], { env, stdio: 'ignore' })
    return new KilledHubs(directory, env)
  }

  private constructor(directory: LogDirectory, env: Readonly<Record<string, string>>) {
    this.#directory = directory
    this.#env = env
  }

  start(): Promise<HubProcess> {
    const config = `
      addr: 127.0.0.1:0
      transport_url: bolt://${this.#directory.file}
      jwt_key: ${testKey}
      allow_anonymous: true
      log_format: JSON`
    return HubProcess.start({ config, env: this.#env })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#directory[Symbol.asyncDispose]()
  }
}
