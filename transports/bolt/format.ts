import { open } from 'node:fs/promises'
import { HubError } from '../../src/errors.ts'

/** The version of a log's tables, keys and entries. */
export const formatVersion = '1'

/** First bytes of LMDB's file format 2: a page's head of 24 bytes, the magic number, the format's version. */
const lmdb = { magic: 0xbeefc0de, magicAt: 24, version: 2 }
/** Other formats, which have their magic number after a page's head of 16 bytes. */
const others = [
  {
    magic: 0xed0cdaed,
    magicAt: 16,
    name: "another hub's Bolt file (bbolt), which this hub cannot read: choose another file, the old one stays as it is",
  },
  {
    magic: lmdb.magic,
    magicAt: 16,
    name: 'an LMDB file of format 1, which another program has written: choose another file',
  },
]

/**
 * Tells whether a file can be opened as a log, before anything could be written to it.
 * @returns whether there is anything in it
 * @throws HubError `configuration_invalid` for anything but an LMDB file, an empty file or none
 */
export async function checkFormat(path: string): Promise<'empty' | 'lmdb'> {
  const head = await readHead(path)
  if (head.length === 0) return 'empty'
  const has = (magic: number, at: number) => head.length >= at + 4 && head.readUInt32LE(at) === magic
  if (has(lmdb.magic, lmdb.magicAt) && head.length >= 30 && head.readUInt16LE(28) === lmdb.version) return 'lmdb'
  const other = others.find(({ magic, magicAt }) => has(magic, magicAt))
  throw foreign(path, other?.name ?? 'not a log of this hub: choose another file')
}

/** A file that is somebody else's. `what` is the rest of "FILE is …". */
export const foreign = (path: string, what: string): HubError =>
  new HubError('configuration_invalid', `transport_url, bolt: ${path} is ${what}. It was not touched.`)

async function readHead(path: string): Promise<Buffer> {
  try {
    await using file = await open(path)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(32), 0, 32, 0)
    return buffer.subarray(0, bytesRead)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') return Buffer.alloc(0)
    if (code === 'EISDIR') throw foreign(path, 'a directory: name a file in it')
    throw new HubError('configuration_invalid', `transport_url, bolt: ${path} cannot be read: ${message}.`, { cause })
  }
}
