import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getMimeType } from 'hono/utils/mime'
import { readLibraries } from './libraries.ts'

/** A file of the page, as it is answered. */
export interface Asset {
  readonly body: Uint8Array<ArrayBuffer>
  readonly type: string
  readonly etag: string
}

/**
 * The files of the page by their names below its address, read once: what is not in this table is not served, however it is asked for.
 * `index.html` is also the one without a name.
 */
export function readAssets(): ReadonlyMap<string, Asset> {
  const directory = fileURLToPath(new URL('../../ui/debugger/', import.meta.url))
  const assets = new Map<string, Asset>()
  for (const file of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue
    const path = join(file.parentPath, file.name)
    const name = path.slice(directory.length).replaceAll(sep, '/')
    assets.set(name, createAsset(name, readFileSync(path)))
  }
  for (const [name, text] of readLibraries()) assets.set(`vendor/${name}`, createAsset(name, Buffer.from(text)))
  const index = assets.get('index.html')
  if (index !== undefined) assets.set('', index)
  return assets
}

const createAsset = (name: string, body: Uint8Array<ArrayBuffer>): Asset => ({
  body,
  type: getMimeType(name) ?? 'application/octet-stream',
  etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
})
