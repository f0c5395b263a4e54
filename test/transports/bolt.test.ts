import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from '../../transports/bolt.ts'
import { testTransport } from './contract.ts'

const context = { log: { info() {}, warn() {}, error() {} } }

testTransport({
  name: 'bolt://',
  async create({ size }) {
    const directory = await mkdtemp(join(tmpdir(), 'talaria-bolt-'))
    const url = `bolt://${directory}/updates.db${size === undefined ? '' : `?size=${size}`}`
    return {
      open: () => open(new URL(url), context),
      dispose: () => rm(directory, { recursive: true }),
    }
  },
})
