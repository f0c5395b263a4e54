import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'

import type { EventSourceMessage } from 'eventsource-parser'
import type { Generation } from '../../../src/protocol/generation.ts'
import { Connection } from '../../support/connection.ts'
import type { EventStream } from '../../support/event-stream.ts'
import { startHub, type TestHub } from '../../support/hub.ts'
import { createTestUpdate } from '../../support/node.ts'
import { publisherToken, signAccessToken, subscriberToken, testIssuer } from '../../support/token.ts'

/** What a field may be made to hold: percent-encoded, and the text that it stands for where it is UTF-8 at all. */
const poisons: readonly { readonly name: string; readonly encoded: string; readonly text: string | null }[] = [
  { name: 'CR', encoded: '%0D', text: '\r' },
  { name: 'LF', encoded: '%0A', text: '\n' },
  { name: 'CRLF and a field', encoded: '%0D%0Aid: injected', text: '\r\nid: injected' },
  {
    name: 'two LF and an event',
    encoded: '%0A%0Aevent: admin%0Adata: injected',
    text: '\n\nevent: admin\ndata: injected',
  },
  { name: 'NUL', encoded: '%00', text: '\0' },
  { name: 'ESC', encoded: '%1B', text: '\x1b' },
  { name: 'DEL', encoded: '%7F', text: '\x7f' },
  { name: 'NEL, of C1', encoded: '%C2%85', text: '\x85' },
  { name: 'CSI, of C1', encoded: '%C2%9B', text: '\x9b' },
  { name: 'a bidirectional override', encoded: '%E2%80%AE', text: '\u202e' },
  { name: 'a bidirectional isolate', encoded: '%E2%81%A6', text: '\u2066' },
  { name: 'a zero width space', encoded: '%E2%80%8B', text: '\u200b' },
  { name: 'a byte order mark', encoded: '%EF%BB%BF', text: '\ufeff' },
  { name: 'a lone surrogate', encoded: '%ED%A0%80', text: null },
  { name: 'a pair of surrogates, each encoded', encoded: '%ED%A0%BD%ED%B8%80', text: null },
  { name: 'an overlong slash', encoded: '%C0%AF', text: null },
  { name: 'a character cut short', encoded: '%E2%82', text: null },
  { name: 'a byte that UTF-8 never has', encoded: '%FF', text: null },
  { name: 'a raw byte that UTF-8 never has', encoded: '\xff', text: null },
]

/** What only generation 0.x lets into the log, as far as no line of an event stream breaks by it. */
const refuses: Record<Generation, (field: string, text: string | null) => boolean> = {
  '0.x': (field, text) =>
    field === 'retry' ||
    (field === 'type' && text !== null && /[\r\n\0]/.test(text)) ||
    (field === 'id' && text !== null && /[\x00-\x1f\x7f]/.test(text)),
  '1.0': (field, text) => field !== 'data' || text === null,
}

/** Nothing that a terminal, a parser of headers, or a reader could take for something else. */
const plainLine = /^[a-z_0-9]+: [^\p{Cc}\p{Cf}]*\n$/u

const victim = 'https://example.com/victim'
const marker = 'https://example.com/marker'

let hub: TestHub
let tokens: Record<Generation, string>
before(async () => {
  hub = await startHub({ issuers: [testIssuer], subscriptions: true })
  tokens = {
    '0.x': await publisherToken(),
    '1.0': await signAccessToken(hub.hubUrl, [{ actions: ['publish'], topics: [{ match: '*' }] }]),
  }
})
after(() => hub.close())

/** Posts a body byte for byte (as Latin-1), with a token of a generation. */
const post = (generation: Generation, body: string): Promise<Response> =>
  fetch(hub.hubUrl, {
    method: 'POST',
    headers: { Authorization: `Bearer ${tokens[generation]}`, 'Content-Type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(body, 'latin1'),
  })

async function assertRefused(response: Response, code: string): Promise<void> {
  const body = await response.text()
  assert.equal(response.status, 400, body)
  assert.ok(body.startsWith(`${code}: `), body)
  assert.match(body, plainLine)
  assert.equal(response.headers.get('content-type'), 'text/plain; charset=utf-8')
  assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
}

/** The events that have come before the marker that this publishes. */
async function eventsUpToNow(stream: EventStream): Promise<EventSourceMessage[]> {
  const id = await hub.publish({ topic: marker })
  const events: EventSourceMessage[] = []
  for (;;) {
    const [event] = await stream.take()
    if (event!.id === id) return events
    events.push(event!)
  }
}

for (const generation of ['0.x', '1.0'] as const) {
  suite(`publishing, generation ${generation}`, () => {
    let stream: EventStream
    before(async () => {
      stream = await hub.subscribe(`topic=${victim}&topic=${marker}`)
    })

    for (const { name, encoded, text } of poisons) {
      for (const field of ['topic', 'id', 'type', 'data', 'retry']) {
        const pairs = { topic: victim, id: 'urn:id', type: 'kind', data: 'text', [field]: `1${encoded}2` }
        // A poisoned topic is the canonical one; the stream is subscribed to the alternate.
        const body = `${Object.entries(pairs)
          .map(pair => pair.join('='))
          .join('&')}&topic=${victim}`

        if (refuses[generation](field, text)) {
          test(`${name} in ${field}: refused`, async () => {
            await assertRefused(await post(generation, body), `${field}_invalid`)
            assert.deepEqual(await eventsUpToNow(stream), [])
          })
        } else {
          test(`${name} in ${field}: one event, nothing injected`, async () => {
            const response = await post(generation, body)
            const answer = await response.text()
            assert.equal(response.status, 200, answer)
            assert.equal(answer, field === 'id' ? asReceived(text) : 'urn:id')
            assert.deepEqual(await eventsUpToNow(stream), [
              {
                id: answer,
                event: field === 'type' ? asReceived(text) : 'kind',
                data: field === 'data' ? asReceived(text).replace(/\r\n?/g, '\n') : 'text',
              },
            ])
          })
        }

        /** Bytes that are no UTF-8 become U+FFFD, as many as the Encoding Standard says. */
        function asReceived(text: string | null): string {
          if (text !== null) return `1${text}2`
          const bytes = Buffer.from(decodePercent(encoded), 'latin1')
          return `1${new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)}2`
        }
      }
    }
  })
}

const decodePercent = (text: string): string =>
  text.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

suite('subscribing', () => {
  for (const { name, encoded } of poisons) {
    // fetch sends a raw byte as the UTF-8 of the character; on the wire it is tried below.
    if (encoded === '\xff') continue
    for (const field of ['match', 'match_exact', 'match_urlpattern']) {
      test(`${name} in ${field}: refused`, async () => {
        await assertRefused(await fetch(`${hub.hubUrl}?${field}=a${encoded}b`), 'matcher_invalid')
      })
      test(`${name} in ${field} of a QUERY: refused`, async () => {
        const body = `${field}=a${encoded}b`
        const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
        await assertRefused(await fetch(hub.hubUrl, { method: 'QUERY', headers, body }), 'matcher_invalid')
      })
    }
    test(`${name} in the name of a matcher: refused`, async () => {
      await assertRefused(await fetch(`${hub.hubUrl}?match${encoded}=a`), 'matcher_unknown')
    })
    test(`${name} in topic: a selector that injects nothing`, async () => {
      const stream = await hub.subscribe(`topic=a${encoded}b&topic=${marker}`)
      assert.deepEqual(await eventsUpToNow(stream), [])
      assert.match(stream.text, /^:\n(retry: \d+\n)?id: [^\n]*\ndata: \n\n$/)
      stream.close()
    })
    for (const field of ['last_event_id', 'lastEventID', 'Last-Event-ID', 'lastEventId']) {
      test(`${name} in ${field}: an unknown id, not echoed`, async () => {
        const stream = await hub.subscribe(`topic=a&${field}=a${encoded}b`)
        assert.equal(stream.response.headers.get('last-event-id'), 'earliest')
        assert.equal(stream.response.headers.get('mercure-last-event-id'), 'earliest')
        stream.close()
      })
    }
  }

  test('an id that the log has with control characters comes back in the header without them', async () => {
    const id = 'a\x01\t\x1b\x7f\x85\u202e\ufeffé😀b'
    await hub.running.hub.publish(createTestUpdate({ id, topics: [victim] }))
    const request = `GET /.well-known/mercure?topic=a&last_event_id=${encodeURIComponent(id)} HTTP/1.1\r\nHost: hub\r\n\r\n`
    const connection = (await Connection.open(hub.url)).send(request)
    const [head = ''] = (await connection.until(text => text.includes('\r\n\r\n'))).split('\r\n\r\n')
    connection.close()
    const utf8 = Buffer.from('\x85\u202e\ufeffé😀b').toString('latin1')
    for (const name of ['Last-Event-ID', 'Mercure-Last-Event-ID']) {
      assert.ok(head.split('\r\n').includes(`${name}: a%01%09%1B%7F${utf8}`), head)
    }
  })
})

suite('announcing a subscription', () => {
  for (const { name, encoded, text } of poisons) {
    if (text === null) continue
    test(`${name} in a selector: one event with a document`, async () => {
      const selector = `poison:${text}`
      const token = await subscriberToken(['*'])
      const watcher = await hub.subscribe('topic=*', {
        headers: { Authorization: `Bearer ${token}` },
      })
      const stream = await hub.subscribe(`topic=poison:${encoded}`)
      const event = await documentFor(watcher, selector)
      assert.equal(event.event, undefined)
      stream.close()
      watcher.close()
    })
  }

  /** The event that announces a selector; every event before it must hold a document, too. */
  async function documentFor(stream: EventStream, selector: string): Promise<EventSourceMessage> {
    for (;;) {
      const [event] = await stream.take()
      const { topic } = JSON.parse(event!.data) as { topic: string }
      if (topic === selector) return event!
    }
  }
})

test('what was refused or accepted has put no token into the log', async () => {
  for (const line of hub.logs) {
    const text = JSON.stringify(line)
    for (const token of Object.values(tokens)) assert.ok(!text.includes(token.split('.')[2]!), text)
  }
})
