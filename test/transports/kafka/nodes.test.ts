import { after, describe } from 'node:test'
import { kafka } from '../../support/services/kafka-backend.ts'
import { remembersNoKeys, testNodes } from '../nodes.ts'
import { remembersNoKeys as forgetsKeys, testOutages } from '../outage.ts'

describe('several nodes on one Kafka', { skip: kafka.skipped }, async () => {
  if (kafka.skipped !== false) return
  const server = await kafka.open()
  after(() => server[Symbol.asyncDispose]())
  testNodes(server, { skip: [remembersNoKeys] })
  testOutages(server, { skip: [forgetsKeys] })
})
