import { after, describe } from 'node:test'
import { pulsar } from '../../support/services/pulsar-backend.ts'
import { remembersNoKeys, testNodes } from '../nodes.ts'
import { remembersNoKeys as forgetsKeys, testOutages } from '../outage.ts'

describe('several nodes on one Pulsar, and the way to it', { skip: pulsar.skipped }, async () => {
  if (pulsar.skipped !== false) return
  const server = await pulsar.open()
  after(() => server[Symbol.asyncDispose]())
  testNodes(server, { skip: [remembersNoKeys] })
  testOutages(server, { skip: [forgetsKeys] })
})
