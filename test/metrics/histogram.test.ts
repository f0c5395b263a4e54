import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from 'prom-client'
import { openHistogram } from '../../src/metrics/histogram.ts'
import { renderTotals } from '../../src/metrics.ts'

const options = { name: 'size_bytes', help: 'Sizes.', bounds: [1, 10] }

test('a value counts for each bound that it is within', async () => {
  const registry = new Registry()
  const sizes = openHistogram(registry, options)
  for (const size of [0, 1, 1.5, 10, 1000]) sizes.add(size)
  const expected = `# HELP size_bytes Sizes.
# TYPE size_bytes histogram
size_bytes_bucket{le="1"} 2
size_bytes_bucket{le="10"} 4
size_bytes_bucket{le="+Inf"} 5
size_bytes_sum 1012.5
size_bytes_count 5
`
  assert.equal(await registry.metrics(), expected)
})

test('those of several processes, as JSON brings them, are added up', async () => {
  const snapshots = await Promise.all(
    [[1], [1, 5, 5000]].map(async sizes => {
      const registry = new Registry()
      const histogram = openHistogram(registry, options)
      for (const size of sizes) histogram.add(size)
      return JSON.parse(JSON.stringify(await registry.getMetricsAsJSON()))
    }),
  )
  const samples = (await renderTotals(snapshots)).split('\n').filter(line => line !== '' && !line.startsWith('#'))
  assert.deepEqual(samples, [
    'size_bytes_bucket{le="1"} 2',
    'size_bytes_bucket{le="10"} 3',
    'size_bytes_bucket{le="+Inf"} 4',
    'size_bytes_sum 5007',
    'size_bytes_count 4',
  ])
})
