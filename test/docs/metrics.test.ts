import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createHub } from '../../src/embed.ts'
import { startHub } from '../support/hub.ts'
import { readDocumentedForms, readForms, readNamedOfProcess } from '../support/metrics.ts'
import { testKey } from '../support/token.ts'

const documented = await readDocumentedForms()

test('docs/metrics.md has the metrics of a hub, with their types and labels, and no others', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'talaria-metrics-'))
  try {
    const settings = { metrics_enabled: true, metrics_addr: '', subscriptions: true }
    await using hub = await startHub({ ...settings, transport_url: `bolt://${join(directory, 'updates.db')}` })
    // Labels show where something was counted.
    await (await fetch(hub.hubUrl)).text()
    const stream = await hub.subscribe('topic=a')
    stream.close()
    await hub.logged(({ msg }) => msg === 'subscriber left')
    const served = readForms(await (await hub.fetch('/metrics')).text())
    const own = [...served].filter(([name]) => /^(mercure|talaria)_/.test(name))
    assert.deepEqual([...documented].toSorted(), own.toSorted())
    const named = await readNamedOfProcess()
    assert.ok(named.length > 5)
    for (const name of named) assert.ok(served.has(name), name)
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('a hub in an application has those of docs/metrics.md, but none of the process, and no more than its log tells', async () => {
  const hub = await createHub({ jwt_key: testKey, subscriptions: true, transport_url: 'local://local' })
  try {
    const others = ['talaria_event_loop_delay_seconds', 'talaria_history_updates']
    const served = readForms(await hub.metrics.render())
    assert.deepEqual(
      [...served.keys()].toSorted(),
      [...documented.keys()].filter(name => !others.includes(name)).toSorted(),
    )
  } finally {
    await hub.close()
  }
})
