import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { after, test } from 'node:test'
import { connect } from 'node:tls'
import { createCertificate } from '../support/certificate.ts'
import { startHub } from '../support/hub.ts'

const certificate = await createCertificate()
after(() => certificate[Symbol.asyncDispose]())

/** Frame types of RFC 9113, section 6, and the one flag that is needed. */
const headers = 1
const settings = 4
const goAway = 7
const endOfHeadersAndStream = 5
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

function frame(type: number, flags: number, streamId: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(streamId, 5)
  return Buffer.concat([head, payload])
}

/** HPACK (RFC 7541, section 6): `:method: GET`, `:scheme: https`, and two values without Huffman coding. */
function encodeRequest(authority: string, path: string): Buffer {
  const literal = (index: number, value: string) => Buffer.from([0x40 + index, value.length, ...Buffer.from(value)])
  return Buffer.concat([Buffer.from([0x82, 0x87]), literal(1, authority), literal(4, path)])
}

/** A client that answers nothing: it leaves its connection open though the hub has said goodbye and ended its half. */
async function openStubborn(url: string) {
  const { hostname: host, port } = new URL(url)
  const options = { host, port: Number(port), ca: certificate.cert, ALPNProtocols: ['h2'], allowHalfOpen: true }
  const socket = connect(options).on('error', () => {})
  const received: number[] = []
  const changed = new EventEmitter()
  let rest: Buffer = Buffer.alloc(0)
  const size = () => (rest.length < 9 ? Number.POSITIVE_INFINITY : 9 + rest.readUIntBE(0, 3))
  socket.on('data', (bytes: Buffer) => {
    rest = Buffer.concat([rest, bytes])
    while (rest.length >= size()) {
      received.push(rest[3]!)
      rest = rest.subarray(size())
    }
    changed.emit('change')
  })
  await once(socket, 'secureConnect')
  socket.write(Buffer.concat([preface, frame(settings, 0, 0)]))
  return {
    send: (bytes: Buffer) => socket.write(bytes),
    received,
    async until(type: number): Promise<void> {
      while (!received.includes(type)) await once(changed, 'change')
    },
    [Symbol.dispose]: () => socket.destroy(),
  }
}

for (const { name, subscribes } of [
  { name: 'in the middle of a stream', subscribes: true },
  { name: 'between requests', subscribes: false },
]) {
  test(`a hub that stops does not wait for a client of HTTP/2 that never ends its connection, ${name}`, async () => {
    const { certFile, keyFile } = certificate
    await using hub = await startHub({ cert_file: certFile, key_file: keyFile, shutdown_timeout: '1h' })
    using client = await openStubborn(hub.url)
    await client.until(settings)
    if (subscribes) {
      const request = encodeRequest(new URL(hub.url).host, '/.well-known/mercure?topic=a')
      client.send(frame(headers, endOfHeadersAndStream, 1, request))
      await client.until(headers)
    }
    await hub.close()
    assert.ok(client.received.includes(goAway))
  })
}
