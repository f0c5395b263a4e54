import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { chown, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Built, isRoot } from './image.ts'
import { HubProcess } from './process.ts'

/** Whether programs can be the first of a namespace, as they are in a container. */
export const hasNamespaces =
  isRoot && spawnSync('unshare', ['--pid', '--fork', '--kill-child', 'setpriv', '--reuid', '1000', 'true']).status === 0

export interface Order {
  readonly image: Built
  /** The directory that is mounted at the image's volume. */
  readonly volume: string
  readonly env?: Readonly<Record<string, string>>
  /** Instead of the image's CMD. */
  readonly command?: readonly string[]
}

/** A program of an image, as its user, in its directory, on its files, which it cannot change; where there may be one, process 1 of a namespace. */
export class Container implements AsyncDisposable {
  readonly process: HubProcess

  static async start(order: Order): Promise<Container> {
    const { entrypoint, command } = order.image.config
    const words = [...namespace, ...asUser(order), ...entrypoint, ...(order.command ?? command)]
    return new Container(await HubProcess.start({ command: ['env', '-C', order.volume, ...words], env: envOf(order) }))
  }

  private constructor(process: HubProcess) {
    this.process = process
  }

  /** As `docker stop` and `docker kill` do it: to process 1 of the container alone. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    const { pid = 0 } = this.process.child
    const inner = hasNamespaces ? Number(await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')) : pid
    assert.ok(inner > 0)
    process.kill(inner, signal)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.process[Symbol.asyncDispose]()
  }
}

/** Runs other words than the image's own, such as those of its health check, to their end. */
export function execute(order: Order, words: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const [program = '', ...args] = [...asUser(order), ...words]
  return new Promise(resolve => {
    const child = execFile(program, args, { cwd: order.volume, env: envOf(order) }, (_, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    )
  })
}

/** What a new named volume is: empty, and its owner's that the directory has in the image. */
export async function initialize(volume: string, image: Built): Promise<string> {
  const { uid, gid } = await stat(join(image.files, image.config.volumes[0]!))
  if (isRoot) await chown(volume, uid, gid)
  return volume
}

const namespace = hasNamespaces ? ['unshare', '--pid', '--fork', '--kill-child'] : []

function asUser({ image }: Order): string[] {
  const [uid = '', gid = ''] = image.config.user.split(':')
  // What starts it may be killed: a change of the user clears what --kill-child has set.
  return isRoot ? ['setpriv', '--reuid', uid, '--regid', gid, '--clear-groups', '--pdeathsig', 'KILL'] : []
}

/** The environment of the image, its paths being those of its files here; without a directory for temporary files. */
function envOf({ image, volume, env = {} }: Order): Record<string, string> {
  const own = Object.entries(image.config.env).map(([key, value]) => [
    key,
    value.replace('$PATH', `${image.base}:${process.env.PATH}`).replace(/^\/hub/, join(image.files, 'hub')),
  ])
  return { HOME: volume, TMPDIR: '/nonexistent', ...Object.fromEntries(own), ...env }
}
