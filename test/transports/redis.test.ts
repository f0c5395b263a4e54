import { after, describe, test } from 'node:test'
import { open } from '../../transports/redis.ts'
import { newStream, removeLog } from '../support/redis.ts'
import { noRedisProgram, openRedis } from '../support/services/redis.ts'
import { testTransport } from './contract.ts'

const silent = { info: () => {}, warn: () => {}, error: () => {} }

if (noRedisProgram !== false && process.env.TALARIA_TEST_REDIS_URL === undefined) {
  test('redis://', { skip: noRedisProgram }, () => {})
} else {
  const redis = await openRedis()
  describe('a real Redis', () => {
    after(() => redis[Symbol.asyncDispose]())
    testTransport({
      name: 'redis://',
      async create({ size }) {
        const url = newStream(redis.url, size === undefined ? '' : `max_len_approx=${size}`)
        return { open: () => open(url, { log: silent }), dispose: () => removeLog(url) }
      },
    })
  })
}
