import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeMessage, encodeLists, type Message } from '../../../src/hub/revocation/message.ts'
import { RevocationList } from '../../../src/hub/revocation/revocation-list.ts'
import { Revocations } from '../../../src/hub/revocation/revocations.ts'
import { Subscriber } from '../../../src/hub/subscriber.ts'
import { readGrant0x } from '../../../src/protocol/grant.ts'
import { Collector } from '../../support/collector.ts'

test('a node that knew of a revocation before it was asked says how many streams that has closed', () => {
  const sent: Message[] = []
  let receive: (bytes: Uint8Array) => void = () => {}
  const grant = readGrant0x({ sub: 'ada' }, () => assert.fail('it grants nothing'))
  const connected = new Set([
    new Subscriber({ id: 'one', matchers: [], grant, sink: new Collector(), maxQueueBytes: 1000 }),
  ])
  const node = new Revocations({
    connected,
    broadcast: {
      send: async bytes => {
        sent.push(decodeMessage(bytes)!)
      },
      receive: listener => {
        receive = listener
      },
    },
    records: undefined,
    times: {},
    failed: error => assert.fail(String(error)),
  })
  node.start()
  const revoked = [new RevocationList().add({ kind: 'subject', value: 'ada' }, null)]
  const tell = (request?: string) => {
    for (const bytes of encodeLists('other', revoked, { maxBytes: 10_000, ...(request && { request }) })) receive(bytes)
  }
  tell()
  connected.clear()
  tell('its request')
  node.leave()
  assert.deepEqual(
    sent.filter(({ type }) => type === 'done').map(message => message.type === 'done' && message.ended),
    [{ closed: 1 }],
  )
})
