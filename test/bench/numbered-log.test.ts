import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startHub } from '../support/hub.ts'
import { fill, replay, topicOf, topics } from './numbered-log.ts'

const directory = await mkdtemp(join(tmpdir(), 'numbered-'))
after(() => rm(directory, { recursive: true }))
const transport_url = `bolt://${join(directory, 'updates.db')}`
const size = 2 * topics
await fill(transport_url, size, 100)
const hub = await startHub({ transport_url, recent: { entries: 100, bytes: '1MiB' } })
after(() => hub.close())
const port = Number(new URL(hub.url).port)

test('a replay is checked update by update', async () => {
  const { firstMs, lastMs } = await replay(port, '*', 0, size)
  assert.ok(0 < firstMs && firstMs <= lastMs)
  await replay(port, '*', 1500, size - 1500)
  await replay(port, encodeURIComponent(topicOf(7)), 0, size / topics, topics, 7)
})

test('a replay in which an update is missing fails', async () => {
  await assert.rejects(replay(port, '*', 0, 10, 1, 1), /Update 0 came where 1 was expected/)
  await assert.rejects(
    replay(port, encodeURIComponent(topicOf(7)), 0, 2, 1, 7),
    /Update 1007 came where 8 was expected/,
  )
})
