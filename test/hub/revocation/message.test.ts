import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeMessage, encodeLists, encodeMessage, type Message } from '../../../src/hub/revocation/message.ts'
import { RevocationList } from '../../../src/hub/revocation/revocation-list.ts'

const node = crypto.randomUUID()

test('a message comes back as it was, and is told from those about subscriptions', () => {
  const message: Message = { node, type: 'ask', of: 'somebody' }
  assert.deepEqual(decodeMessage(encodeMessage(message)), message)
  assert.equal(decodeMessage(Uint8Array.of(1, 2, 3)), undefined)
})

test('the longest values that operators may give fit into the shortest messages that a transport may take', () => {
  const list = new RevocationList()
  const value = 'x'.repeat(510)
  const token = 'f'.repeat(43)
  list.add({ kind: 'subject', value }, Date.parse('9999-12-31'))
  list.add({ kind: 'token_id', value }, Date.parse('9999-12-31'))
  list.add({ kind: 'subscription', value: `urn:uuid:${crypto.randomUUID()}`, token }, Date.parse('9999-12-31'))
  const lists = [...encodeLists(node, list.all, { maxBytes: 1024, request: crypto.randomUUID() })]
  for (const bytes of lists) assert.ok(bytes.byteLength <= 1024, `${bytes.byteLength} bytes`)
  const received = lists.flatMap(bytes => {
    const message = decodeMessage(bytes)
    return message?.type === 'list' ? message.revocations : []
  })
  assert.deepEqual(received, list.all)
})
