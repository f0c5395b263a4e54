import { after, describe, test } from 'node:test'
import { open } from '../../transports/pulsar.ts'
import { newTopic } from '../support/pulsar.ts'
import { noNativeClient } from '../support/services/native-pulsar.ts'
import { noPulsarProgram, openPulsar } from '../support/services/pulsar.ts'
import { testTransport } from './contract.ts'
import { remembersNoKeys } from './keys.ts'

const silent = { info: () => {}, warn: () => {}, error: () => {} }
const { TALARIA_TEST_PULSAR_URL, PULSAR_NATIVE_URL } = process.env

const testAt = (name: string, server: URL) =>
  testTransport({
    name,
    async create({ size }) {
      const url = newTopic(server, size === undefined ? {} : { size })
      return { open: () => open(url, { log: silent }), dispose: async () => {} }
    },
    skip: [remembersNoKeys],
  })

if (noPulsarProgram !== false && TALARIA_TEST_PULSAR_URL === undefined) {
  test('pulsar+ws://', { skip: noPulsarProgram }, () => {})
} else {
  const pulsar = await openPulsar()
  describe('a real Pulsar', () => {
    after(() => pulsar[Symbol.asyncDispose]())
    testAt('pulsar+ws://', pulsar.url)
    const native = PULSAR_NATIVE_URL === undefined ? pulsar.brokerUrl : new URL(PULSAR_NATIVE_URL)
    if (noNativeClient !== false) test('pulsar://', { skip: noNativeClient }, () => {})
    else if (native !== undefined) testAt('pulsar://', native)
  })
}
