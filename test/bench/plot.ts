/** Lines over logarithmic axes. */
export interface Plot {
  readonly title: string
  readonly xLabel: string
  readonly yLabel: string
  readonly series: readonly Series[]
}

export interface Series {
  readonly name: string
  /** Positive, in order of x. */
  readonly points: readonly (readonly [x: number, y: number])[]
  /** A line to compare with, drawn to stand back. */
  readonly isReference?: boolean
}

const width = 760
const height = 420
const area = { left: 64, right: 560, top: 64, bottom: 356 }
const labelHeight = 16

/** As an SVG document that suits light and dark pages; it carries its own background. */
export function drawPlot({ title, xLabel, yLabel, series }: Plot): string {
  const points = series.flatMap(({ points }) => points)
  const xs = [...new Set(points.map(([x]) => x))].toSorted((a, b) => a - b)
  const yTicks = ticksAround(points.map(([, y]) => y))
  const x = scale(xs[0]!, xs.at(-1)!, area.left, area.right)
  const y = scale(yTicks[0]!, yTicks.at(-1)!, area.bottom, area.top)
  const colors = series.map(({ isReference }, index) =>
    isReference ? 'reference' : `line-${series.slice(0, index).filter(({ isReference }) => !isReference).length}`,
  )
  const labelYs = spread(series.map(({ points }) => y(points.at(-1)![1])))
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title">`,
    `<title id="title">${escapeText(title)}</title>`,
    style,
    `<rect class="surface" width="${width}" height="${height}"/>`,
    `<text class="title" x="24" y="32">${escapeText(title)}</text>`,
    ...yTicks.map(tick => {
      const at = y(tick)
      return `<path class="grid" d="M${area.left} ${at}H${area.right}"/><text class="tick" x="${area.left - 8}" y="${round(at + 4)}" text-anchor="end">${print(tick)}</text>`
    }),
    ...xs.map(
      tick => `<text class="tick" x="${x(tick)}" y="${area.bottom + 20}" text-anchor="middle">${print(tick)}</text>`,
    ),
    `<text class="axis" x="24" y="52">${escapeText(yLabel)}</text>`,
    `<text class="axis" x="${(area.left + area.right) / 2}" y="${height - 20}" text-anchor="middle">${escapeText(xLabel)}</text>`,
    ...series.flatMap(({ name, points }, index) => [
      `<polyline class="${colors[index]}" points="${points.map(([px, py]) => `${x(px)},${y(py)}`).join(' ')}"/>`,
      ...points.map(
        ([px, py]) =>
          `<circle class="${colors[index]}" cx="${x(px)}" cy="${y(py)}" r="4"><title>${escapeText(`${name}: ${print(px)} → ${py.toFixed(2)}`)}</title></circle>`,
      ),
      `<circle class="${colors[index]}" cx="${area.right + 16}" cy="${labelYs[index]}" r="4"/>`,
      `<text class="name" x="${area.right + 26}" y="${round(labelYs[index]! + 4)}">${escapeText(name)}</text>`,
    ]),
    '</svg>',
  ]
  return `${parts.join('\n')}\n`
}

const style = `<style>
text { font: 12px system-ui, sans-serif; fill: #52514e }
.title { font-size: 15px; font-weight: 600; fill: #0b0b0b }
.name { fill: #0b0b0b }
.surface { fill: #fcfcfb }
.grid { stroke: #e1e0d9; fill: none }
polyline { fill: none; stroke-width: 2; stroke-linejoin: round }
.line-0 { stroke: #2a78d6 } circle.line-0 { fill: #2a78d6 }
.line-1 { stroke: #eb6834 } circle.line-1 { fill: #eb6834 }
.reference { stroke: #898781; stroke-dasharray: 5 4 } circle.reference { fill: #898781; stroke-dasharray: none }
@media (prefers-color-scheme: dark) {
text { fill: #c3c2b7 }
.title, .name { fill: #ffffff }
.surface { fill: #1a1a19 }
.grid { stroke: #2c2c2a }
.line-0 { stroke: #3987e5 } circle.line-0 { fill: #3987e5 }
.line-1 { stroke: #d95926 } circle.line-1 { fill: #d95926 }
}
</style>`

/** From [low, high] to [from, to], by orders of magnitude. A single value stands at the beginning. */
function scale(low: number, high: number, from: number, to: number): (value: number) => number {
  const span = Math.log(high / low) || 1
  return value => round(from + ((to - from) * Math.log(value / low)) / span)
}

/** Round numbers (1, 2, 5, 10, …) from just below the least to just above the most. */
function ticksAround(values: readonly number[]): number[] {
  const low = Math.min(...values)
  const high = Math.max(...values)
  const ticks: number[] = []
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const step of [1, 2, 5]) ticks.push(Number((step * 10 ** power).toPrecision(1)))
  }
  const first = ticks.findLastIndex(tick => tick <= low)
  return ticks.slice(first, ticks.findIndex((tick, index) => index > first && tick >= high) + 1)
}

/** Moves heights apart so that labels beside them do not cover each other, in their order. */
function spread(heights: readonly number[]): number[] {
  const placed = [...heights]
  const order = heights.map((_, index) => index).toSorted((a, b) => heights[a]! - heights[b]!)
  for (const [place, index] of order.entries()) {
    const above = place === 0 ? undefined : placed[order[place - 1]!]!
    if (above !== undefined) placed[index] = Math.max(placed[index]!, above + labelHeight)
  }
  return placed
}

const round = (value: number): number => Math.round(value * 10) / 10
const print = (value: number): string => value.toLocaleString('en')
const escapeText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
