import { type FileHandle, open } from 'node:fs/promises'
import { HubError } from '../../src/errors.ts'

/** The version of a log's tables, keys and entries. */
export const formatVersion = '1'

/**
 * An LMDB file of format 2 begins with two pages that say what is valid: after a page's head of 24 bytes the magic number (4 bytes), the
 * format (2), and at the places below the size of a page (4), the last page's number (8) and the transaction's (8). The later one counts.
 */
const lmdb = {
  magic: 0xbeefc0de,
  magicAt: 24,
  format: 2,
  formatAt: 28,
  pageSizeAt: 48,
  lastPageAt: 144,
  transactionAt: 152,
  bytes: 160,
}
/** Other formats, with their magic number after a page's head of 16 bytes. */
const others = [
  {
    magic: 0xed0cdaed,
    magicAt: 16,
    what: "another hub's Bolt file (bbolt), which this hub cannot read: choose another file",
  },
  {
    magic: lmdb.magic,
    magicAt: 16,
    what: 'an LMDB file of format 1, which another program wrote: choose another file',
  },
]

export interface FileFormat {
  /** There is nothing in the file, or no file. */
  readonly isEmpty: boolean
  /** How long the file has to be for all of its pages to be there. */
  readonly bytes: number
  readonly expectedBytes: number
}

/**
 * Tells whether a file can be opened as a log, before anything could be written to it.
 * @throws HubError `configuration_invalid` for anything but an LMDB file, an empty file or none
 */
export async function checkFormat(path: string): Promise<FileFormat> {
  try {
    await using file = await open(path)
    const { size: bytes } = await file.stat()
    return bytes === 0 ? empty : { isEmpty: false, bytes, expectedBytes: await readExpectedBytes(file, path) }
  } catch (cause) {
    if (cause instanceof HubError) throw cause
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') return empty
    if (code === 'EISDIR') throw foreign(path, 'a directory: name a file in it')
    throw new HubError('configuration_invalid', `The file ${path} cannot be read: ${message}.`, { cause })
  }
}

const empty: FileFormat = { isEmpty: true, bytes: 0, expectedBytes: 0 }

/** A file that is no log of this program's. `what` is the rest of "FILE is …". */
export const foreign = (path: string, what: string): HubError =>
  new HubError('configuration_invalid', `The file ${path} is ${what}. It was not touched.`)

async function readExpectedBytes(file: FileHandle, path: string): Promise<number> {
  const first = await readMeta(file, 0)
  if (!isLmdb(first)) {
    const other = others.find(({ magic, magicAt }) => hasMagic(first, magic, magicAt))
    throw foreign(path, other?.what ?? 'not a log of this hub: choose another file')
  }
  const pageSize = first.length < lmdb.bytes ? 0 : first.readUInt32LE(lmdb.pageSizeAt)
  const second = await readMeta(file, pageSize)
  if (second.length < lmdb.bytes || !isLmdb(second))
    throw foreign(path, 'cut short: restore it, or choose another file')
  const transactionOf = (meta: Buffer) => meta.readBigUInt64LE(lmdb.transactionAt)
  const latest = transactionOf(first) > transactionOf(second) ? first : second
  return (Number(latest.readBigUInt64LE(lmdb.lastPageAt)) + 1) * pageSize
}

const hasMagic = (meta: Buffer, magic: number, at: number): boolean =>
  meta.length >= at + 4 && meta.readUInt32LE(at) === magic

const isLmdb = (meta: Buffer): boolean =>
  hasMagic(meta, lmdb.magic, lmdb.magicAt) &&
  meta.length >= lmdb.formatAt + 2 &&
  meta.readUInt16LE(lmdb.formatAt) === lmdb.format

async function readMeta(file: FileHandle, at: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(lmdb.bytes), 0, lmdb.bytes, at)
  return buffer.subarray(0, bytesRead)
}
