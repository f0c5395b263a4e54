import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BackendServer, backends } from '../support/backends.ts'

/** Where a hub runs: its log, and how many nodes share it. */
export interface Site extends AsyncDisposable {
  readonly name: string
  readonly url: URL
  readonly nodes: number
  /** `undefined`: the log is a file of the only node. */
  readonly backend: BackendServer | undefined
}

export const siteNames: readonly string[] = [...Object.keys(backends), 'bolt']

/** A string: the reason why there is none here. */
export async function openSite(name: string): Promise<Site | string> {
  if (name === 'bolt') return await openBolt()
  const { skipped, open } = await backends[name]!()
  if (skipped !== false) return skipped
  const backend = await open()
  return {
    name,
    backend,
    nodes: 3,
    url: backend.url('soak'),
    [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
  }
}

async function openBolt(): Promise<Site> {
  const directory = await mkdtemp(join(tmpdir(), 'talaria-soak-'))
  return {
    name: 'bolt',
    backend: undefined,
    nodes: 1,
    url: new URL(`bolt://${directory}/updates.db`),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  }
}
