import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drawPlot, type Series } from './plot.ts'

const draw = (series: Series[]) => drawPlot({ title: 'Cost', xLabel: 'subscribers', yLabel: 'µs', series })

const coordinatesOf = (svg: string): number[][] =>
  [...svg.matchAll(/<polyline [^>]*points="([^"]+)"/g)].map(match => match[1]!.split(/[ ,]/).map(Number))

test('each series is a line through all its points, from the left edge to the right one', () => {
  const [line, ...others] = coordinatesOf(
    draw([
      {
        name: 'one',
        points: [
          [100, 1],
          [1000, 2],
          [10_000, 10],
        ],
      },
    ]),
  )
  assert.equal(others.length, 0)
  assert.deepEqual([line![0], line![2], line![4]], [64, 312, 560])
  assert.ok(line![1]! > line![3]! && line![3]! > line![5]!, 'more is higher up')
})

test('labels do not cover each other where lines end together', () => {
  const ends: Series[] = ['one', 'two', 'three'].map(name => ({
    name,
    points: [
      [1, 1],
      [10, 3],
    ],
  }))
  const heights = [...draw(ends).matchAll(/class="name" x="[\d.]+" y="([\d.]+)"/g)].map(match => Number(match[1]))
  assert.equal(heights.length, 3)
  heights.sort((a, b) => a - b)
  for (let i = 1; i < heights.length; i++) assert.ok(heights[i]! - heights[i - 1]! >= 16)
})

test('names are text, whatever is in them', () => {
  const svg = draw([
    {
      name: 'a < b & "c"',
      points: [
        [1, 1],
        [2, 2],
      ],
    },
  ])
  assert.match(svg, />a &lt; b &amp; &quot;c&quot;</)
})

test('the same figure everywhere is a plot, too', () => {
  const [line] = coordinatesOf(
    draw([
      {
        name: 'flat',
        points: [
          [5, 3],
          [50, 3],
        ],
      },
    ]),
  )
  assert.ok(line!.every(Number.isFinite))
  assert.equal(line![1], line![3])
})
