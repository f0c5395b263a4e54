import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EventStream } from '../support/event-stream.ts'
import { KilledHubs } from '../support/killed-hub.ts'
import { createRandom } from '../support/random.ts'
import { publisherToken } from '../support/token.ts'

const rounds = 8
const publishers = 8
const topic = 'https://example.com/crash'

test(`SIGKILL in the middle of publishing with keys, ${rounds} times: what is repeated afterwards is stored once`, async () => {
  await using hubs = await KilledHubs.prepare()
  const authorization = `Bearer ${await publisherToken()}`
  const random = createRandom(31)
  /** The id of each text that was answered. */
  const ids = new Map<string, string>()
  const unanswered = new Set<string>()
  let mostUnanswered = 0
  let replayed = 0

  for (let round = 0; round <= rounds; round++) {
    await using hub = await hubs.start()
    const hubUrl = `${await hub.url()}/.well-known/mercure`
    const publish = async (data: string): Promise<void> => {
      unanswered.add(data)
      const headers = { authorization, 'Idempotency-Key': `"${data}"` }
      const response = await fetch(hubUrl, { method: 'POST', body: new URLSearchParams({ topic, data }), headers })
      const id = await response.text()
      assert.equal(response.status, 200, id)
      assert.equal(ids.get(data) ?? id, id)
      ids.set(data, id)
      unanswered.delete(data)
      if (response.headers.get('Idempotency-Replayed') === 'true') replayed++
    }

    mostUnanswered = Math.max(mostUnanswered, unanswered.size)
    await Promise.all([...unanswered].map(publish))
    // What was answered is remembered as well.
    await Promise.all([...ids.keys()].slice(-10).map(publish))
    const stream = await EventStream.open(`${hubUrl}?topic=*&lastEventID=earliest`)
    await stream.until(() => stream.data.length >= ids.size)
    assert.deepEqual(new Map(stream.data.map((data, i) => [data, stream.ids[i]])), ids)
    assert.equal(stream.data.length, ids.size, 'each update is there once')
    stream.close()
    if (round === rounds) break

    let publishes = 1 + random.below(200)
    const run = async (publisher: number): Promise<void> => {
      for (let i = 0; ; i++) {
        const published = publish(`${round}-${publisher}-${i}`)
        if (--publishes === 0) hub.signal('SIGKILL')
        await published
      }
    }
    const ends = await Promise.allSettled(Array.from({ length: publishers }, (_, publisher) => run(publisher)))
    for (const end of ends) {
      assert.ok(end.status === 'rejected' && end.reason instanceof TypeError, 'the connection broke')
    }
    assert.equal(await hub.exit(), 'SIGKILL')
  }
  assert.ok(mostUnanswered > 0, 'some were not answered')
  assert.ok(replayed >= 10 * rounds, `${replayed} answers were given again`)
})
