import { after, describe } from 'node:test'
import { redis } from '../../support/services/redis-backend.ts'
import { testNodes } from '../nodes.ts'

describe('several nodes on one Redis', { skip: redis.skipped }, async () => {
  if (redis.skipped !== false) return
  const server = await redis.open()
  after(() => server[Symbol.asyncDispose]())
  testNodes(server)
})
