import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { startHub } from '../support/hub.ts'
import { dataReceivedBy, marker } from '../support/marker.ts'

const topic = 'https://example.com/books/1'

suite('the cursor', () => {
  const parameters = ['last_event_id', 'lastEventID', 'Last-Event-ID', 'lastEventId']
  /** Cursors by the names of parameters; `header` is the header Last-Event-ID. */
  type Cursors = readonly (readonly [name: string, value: string])[]
  interface Row {
    readonly name: string
    readonly cursors: Cursors
    /** What both response headers say; `null`: they are absent. */
    readonly answer: string | null
    readonly replayed: string[]
  }
  const rows: readonly Row[] = [
    { name: 'none', cursors: [], answer: null, replayed: [] },
    ...['header', ...parameters].flatMap(spelling => [
      { name: `an id in ${spelling}`, cursors: [[spelling, '1']] as const, answer: '1', replayed: ['2', 'é', '4'] },
      { name: `the newest id in ${spelling}`, cursors: [[spelling, '4']] as const, answer: '4', replayed: [] },
      { name: `an unknown id in ${spelling}`, cursors: [[spelling, '5']] as const, answer: 'earliest', replayed: [] },
      { name: `nothing in ${spelling}`, cursors: [[spelling, '']] as const, answer: 'earliest', replayed: [] },
      { name: `an id beyond ASCII in ${spelling}`, cursors: [[spelling, 'é']] as const, answer: 'é', replayed: ['4'] },
      {
        name: `earliest in ${spelling}`,
        cursors: [[spelling, 'earliest']] as const,
        answer: 'earliest',
        replayed: ['1', '2', 'é', '4'],
      },
    ]),
    ...parameters.map(name => ({
      name: `the header before ${name}`,
      cursors: [
        ['header', '2'],
        [name, '1'],
      ] as const,
      answer: '2',
      replayed: ['é', '4'],
    })),
    ...parameters.map(name => ({
      name: `an empty header, and ${name}`,
      cursors: [
        ['header', ''],
        [name, '1'],
      ] as const,
      answer: '1',
      replayed: ['2', 'é', '4'],
    })),
    ...parameters.slice(1).flatMap((name, index) => [
      {
        name: `${parameters[index]} before ${name}, wherever they stand`,
        cursors: [
          [name, '1'],
          [parameters[index]!, '2'],
        ] as const,
        answer: '2',
        replayed: ['é', '4'],
      },
      {
        name: `${name} where ${parameters[index]} is empty`,
        cursors: [
          [parameters[index]!, ''],
          [name, '1'],
        ] as const,
        answer: '1',
        replayed: ['2', 'é', '4'],
      },
    ]),
    {
      name: 'all of them',
      cursors: [...parameters.map(name => [name, '1'] as const), ['header', '4']],
      answer: '4',
      replayed: [],
    },
    {
      name: 'the first of a repeated one',
      cursors: [
        ['last_event_id', '2'],
        ['last_event_id', '1'],
      ],
      answer: '2',
      replayed: ['é', '4'],
    },
    {
      name: 'an unknown one is not passed over',
      cursors: [
        ['last_event_id', '5'],
        ['lastEventID', '1'],
      ],
      answer: 'earliest',
      replayed: [],
    },
    { name: 'an id in a header is not decoded', cursors: [['header', '%31']], answer: 'earliest', replayed: [] },
    ...['last-event-id', 'LAST_EVENT_ID', 'LastEventID', 'lasteventid'].map(name => ({
      name: `${name} is no spelling of it`,
      cursors: [[name, '1']] as const,
      answer: null,
      replayed: [],
    })),
  ]
  for (const { name, cursors, answer, replayed } of rows) {
    test(name, async () => {
      await using history = await startHub()
      for (const id of ['1', '2', 'é', '4']) await history.publish({ topic, id, data: id })
      const query = new URLSearchParams([
        ['topic', topic],
        ['topic', marker],
      ])
      const headers = new Headers()
      for (const [name, value] of cursors) {
        if (name === 'header') headers.set('Last-Event-ID', Buffer.from(value).toString('latin1'))
        else query.append(name, value)
      }
      const stream = await history.subscribe(`${query}`, { headers })
      for (const name of ['Last-Event-ID', 'Mercure-Last-Event-ID']) {
        const value = stream.response.headers.get(name)
        assert.equal(value && Buffer.from(value, 'latin1').toString(), answer)
      }
      assert.deepEqual(await dataReceivedBy(history, stream), [replayed])
    })
  }

  test('of a QUERY may be in its body; in the address it goes before', async () => {
    await using history = await startHub()
    for (const id of ['1', '2', '3']) await history.publish({ topic, id, data: id })
    const open = (search: string, body: string) =>
      history.subscribe(search, { method: 'QUERY', body: `topic=${topic}&${body}` })
    const [inBody, inBoth] = [await open('', 'last_event_id=1'), await open('last_event_id=2', 'last_event_id=1')]
    assert.deepEqual(
      [inBody, inBoth].map(({ response }) => response.headers.get('last-event-id')),
      ['1', '2'],
    )
    await inBody.take(2)
    await inBoth.take(1)
    assert.deepEqual([inBody.data, inBoth.data], [['2', '3'], ['3']])
  })

  test('of a hub without history is earliest, whatever was asked for', async () => {
    await using forgetful = await startHub({ transport_url: 'local://local' })
    await forgetful.publish({ topic, id: '1' })
    for (const id of ['1', 'earliest', '2', '']) {
      const stream = await forgetful.subscribe(`match=${topic}&match=${marker}&last_event_id=${id}`)
      assert.equal(stream.response.headers.get('mercure-last-event-id'), 'earliest')
      assert.deepEqual(await dataReceivedBy(forgetful, stream), [[]])
    }
  })

  test('earliest replays nothing where nothing was stored', async () => {
    await using empty = await startHub()
    const stream = await empty.subscribe(`topic=${topic}&topic=${marker}`, { headers: { 'Last-Event-ID': 'earliest' } })
    assert.equal(stream.response.headers.get('last-event-id'), 'earliest')
    assert.deepEqual(await dataReceivedBy(empty, stream), [[]])
  })
})
