import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { open } from '../../transports/local.ts'
import { startNode } from '../support/node.ts'
import { tellsNoTime, testTransport } from './contract.ts'
import { remembersNoKeys } from './keys.ts'

const context = { log: { info() {}, warn() {}, error() {} } }
const openUrl = (url: string) => open(new URL(url), context)

testTransport({
  name: 'local://local?size=',
  create: async ({ size = 0 }) => ({ open: () => openUrl(`local://local?size=${size}`), dispose: async () => {} }),
  skip: [
    remembersNoKeys,
    tellsNoTime,
    {
      reason: 'the log lives in the process',
      tests: ['restart: history and the last event id are there before anything is published'],
    },
  ],
})

describe('local://local', () => {
  test('keeps no history unless told to', async () => {
    await using node = await startNode(await openUrl('local://local'))
    await node.publish({ id: 'a' })
    await node.publish({ id: 'b' })
    for (const lastEventId of ['earliest', 'a']) {
      const { collector, cursor } = await node.subscribe({ topics: ['*'], lastEventId })
      assert.equal(cursor.lastEventId, 'earliest')
      await node.publish({ id: 'c' })
      await collector.received(1)
      assert.deepEqual(collector.ids, ['c'])
    }
  })

  test('refuses options that it does not have', async () => {
    for (const [url, message] of [
      ['local://local?sise=3', /there is no option "sise"\. Did you mean "size"\?/],
      ['local://local?size=many', /size: "many" is not a whole number/],
      ['local://local?size=-1', /size: "-1" is not a whole number/],
    ] as const) {
      await assert.rejects(openUrl(url), { code: 'configuration_invalid', message })
    }
  })
})
