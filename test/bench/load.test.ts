import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Bench, hubPath, Load, type Server } from './bench.ts'
import { readMarks } from './marks.ts'

const directory = await mkdtemp(join(tmpdir(), 'load-'))
after(() => rm(directory, { recursive: true }))
const bench = await Bench.open(directory, true)

/** The load that this machine has, and that of machines without a C compiler. */
const loads: Record<string, (streams: Server, publishTo: Server) => Promise<Load>> = {
  'the load': (streams, publishTo) => bench.startLoad(streams, { publishTo }),
  'the load in Node': async (streams, publishTo) => {
    const program = fileURLToPath(new URL('load-program.ts', import.meta.url))
    const ports = [`${await streams.port()}`, `${await publishTo.port()}`]
    return new Load([process.execPath, program, ...ports], { PUBLISHER_TOKEN: 'none' })
  },
}

for (const [name, start] of Object.entries(loads)) {
  test(`${name} counts what its streams get`, async () => {
    await using floor = bench.startFloor()
    await using load = await start(floor, floor)
    await load.connect(3)
    const outcome = await load.publish({ updates: 20, atOnce: 4, deliveriesEach: 3 })
    assert.equal(outcome.deliveries, 60)
  })

  test(`${name} publishes no update before it is due at a rate`, async () => {
    await using floor = bench.startFloor()
    await using load = await start(floor, floor)
    await load.connect(1)
    const { publishSeconds, latencyMs } = await load.publish({ updates: 21, rate: 200, atOnce: 4, deliveriesEach: 1 })
    assert.ok(publishSeconds >= 0.1, `the last one was due after 0.1 s, and answered after ${publishSeconds} s`)
    assert.ok(latencyMs.p50 > 0)
  })

  test(`${name} counts what is late at a rate as late`, async () => {
    await using floor = bench.startFloor()
    await using load = await start(floor, floor)
    await load.connect(1)
    // More than a publisher can do: each update waits for those before it.
    const { publishSeconds, publishMs } = await load.publish({
      updates: 2000,
      rate: 1_000_000,
      atOnce: 1,
      deliveriesEach: 1,
    })
    assert.ok(publishMs.max >= 0.9 * (publishSeconds * 1000 - 2), `${publishMs.max} ms of ${publishSeconds} s`)
  })

  test(`${name} publishes to another node than the one of its streams`, async () => {
    await using far = bench.startFloor()
    await using near = bench.startFloor()
    await using load = await start(far, near)
    await load.connect(1)
    const stop = new AbortController()
    const stream = await fetch(`http://127.0.0.1:${await near.port()}${hubPath}?topic=bench`, { signal: stop.signal })
    await load.publish({ updates: 3, atOnce: 1, deliveriesEach: 0 })
    let marks = 0
    const read = readMarks(() => marks++)
    for await (const chunk of stream.body!) {
      read(Buffer.from(chunk))
      if (marks === 3) break
    }
    stop.abort()
  })
}
