import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EventStream } from '../support/event-stream.ts'
import { KilledHubs } from '../support/killed-hub.ts'
import { createRandom } from '../support/random.ts'
import { publisherToken } from '../support/token.ts'

const rounds = 20
const clients = 8
const topic = 'https://example.com/crash'
const dataOf = (id: string): string => `${id} `.repeat(1 + (id.length % 7) * 40)

test(`SIGKILL in the middle of publishing, ${rounds} times: what was answered 200 is there, once and in order`, async () => {
  await using hubs = await KilledHubs.prepare()
  const authorization = `Bearer ${await publisherToken()}`
  const random = createRandom(20)
  const sent = new Set<string>()
  /** The ids that each client was answered, in its order. */
  const answered: string[][] = Array.from({ length: clients }, () => [])
  let delivered: readonly string[] = []
  let before: readonly string[] = []

  for (let round = 0; round <= rounds; round++) {
    await using hub = await hubs.start()
    const hubUrl = `${await hub.url()}/.well-known/mercure`
    const publish = async (id: string): Promise<void> => {
      sent.add(id)
      const body = new URLSearchParams({ topic, id, data: dataOf(id) })
      const response = await fetch(hubUrl, { method: 'POST', body, headers: { authorization } })
      assert.equal(await response.text(), id)
    }

    const mark = `round ${round}`
    await publish(mark)
    const stream = await EventStream.open(`${hubUrl}?topic=${topic}&lastEventID=earliest`)
    await stream.until(text => text.includes(`id: ${mark}\n`))
    const log = stream.ids
    assert.deepEqual(log.slice(0, before.length), before, 'the log begins as it was read in the round before')
    assert.equal(new Set(log).size, log.length, 'every update is there once')
    assert.deepEqual(
      log.filter(id => !sent.has(id)),
      [],
      'there is nothing that nobody sent',
    )
    assert.deepEqual(stream.data, log.map(dataOf), 'every update is whole')
    const present = new Set(log)
    assert.deepEqual(
      delivered.filter(id => !present.has(id)),
      [],
      'what was delivered is there',
    )
    for (const ids of answered) {
      const own = new Set(ids)
      assert.deepEqual(
        log.filter(id => own.has(id)),
        ids,
        'what a client was answered is there, in its order',
      )
    }
    before = log
    if (round === rounds) {
      stream.close()
      break
    }

    let publishes = 1 + random.below(200)
    const runClient = async (client: number): Promise<void> => {
      for (let i = 0; ; i++) {
        const id = `${round}-${client}-${i}`
        const published = publish(id)
        if (--publishes === 0) hub.signal('SIGKILL')
        await published
        answered[client]!.push(id)
      }
    }
    const ends = await Promise.allSettled(Array.from({ length: clients }, (_, client) => runClient(client)))
    for (const end of ends)
      assert.ok(end.status === 'rejected' && end.reason instanceof TypeError, 'the connection broke')
    assert.equal(await hub.exit(), 'SIGKILL')
    await stream.end()
    delivered = stream.ids
  }
  assert.ok(answered.flat().length > 10 * rounds, `${answered.flat().length} publishes were answered before the kills`)
})
