import { open } from '../../transports/local.ts'
import { LogDirectory } from '../support/bolt.ts'
import { openThroughTwo } from '../support/log-ends.ts'
import { tellsNoTime, testTransport } from '../transports/contract.ts'
import { remembersNoKeys } from '../transports/keys.ts'

testTransport({
  name: 'bolt:// through two workers',
  async create({ size }) {
    const directory = await LogDirectory.create()
    return {
      open: async () => openThroughTwo(await directory.open(size === undefined ? '' : `?size=${size}`)),
      dispose: () => directory[Symbol.asyncDispose](),
    }
  },
  skip: [tellsNoTime],
})

const context = { log: { info() {}, warn() {}, error() {} } }

testTransport({
  name: 'local://local?size= through two workers',
  create: async ({ size = 0 }) => ({
    open: async () => openThroughTwo(await open(new URL(`local://local?size=${size}`), context)),
    dispose: async () => {},
  }),
  skip: [
    remembersNoKeys,
    tellsNoTime,
    {
      reason: 'the log lives in the process',
      tests: [
        'restart: history and the last event id are there before anything is published',
        'what is kept beside the updates is there for a hub that comes later',
      ],
    },
  ],
})
