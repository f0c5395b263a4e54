import { LogDirectory } from '../support/bolt.ts'
import { tellsNoTime, testTransport } from './contract.ts'

testTransport({
  name: 'bolt://',
  async create({ size }) {
    const directory = await LogDirectory.create()
    return {
      open: () => directory.open(size === undefined ? '' : `?size=${size}`),
      dispose: () => directory[Symbol.asyncDispose](),
    }
  },
  skip: [tellsNoTime],
})
