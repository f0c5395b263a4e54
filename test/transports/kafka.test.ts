import { after, describe, test } from 'node:test'
import { open } from '../../transports/kafka.ts'
import { newTopic, removeTopic } from '../support/kafka.ts'
import { noKafkaProgram, openKafka } from '../support/services/kafka.ts'
import { testTransport } from './contract.ts'
import { remembersNoKeys } from './keys.ts'

const silent = { info: () => {}, warn: () => {}, error: () => {} }

if (noKafkaProgram !== false && process.env.TALARIA_TEST_KAFKA_URL === undefined) {
  test('kafka://', { skip: noKafkaProgram }, () => {})
} else {
  const broker = await openKafka()
  describe('a real Kafka', () => {
    after(() => broker[Symbol.asyncDispose]())
    testTransport({
      name: 'kafka://',
      async create({ size }) {
        const url = newTopic(broker.url, size === undefined ? {} : { size })
        return { open: () => open(url, { log: silent }), dispose: () => removeTopic(url) }
      },
      skip: [remembersNoKeys],
    })
  })
}
