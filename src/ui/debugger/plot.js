import { formatCompact, formatSecond } from './format.js'
import { html } from './html.js'
import './language.js'
import { useEffect, useRef } from './vendor/preact-hooks.js'
import uPlot from './vendor/uplot.js'

const dark = matchMedia('(prefers-color-scheme: dark)')

/**
 * Lines over the last while, drawn anew every second while in sight.
 * @param {{label: string, series: {label: string, color: string}[], read: () => number[][],
 *   spanSeconds: number, heightPx: number}} properties `color`
 *   is a custom property of the style sheet; `read` gives the seconds, then each line's values
 */
export function Plot({ label, series, read, spanSeconds, heightPx }) {
  const box = useRef()
  const latest = useRef(read)
  latest.current = read
  const lines = series.map(({ label, color }) => `${label} ${color}`).join()
  useEffect(() => {
    const element = box.current
    let plot
    const draw = () => {
      plot?.destroy()
      plot = createPlot(element, { series, spanSeconds, heightPx }, latest.current())
    }
    draw()
    const resize = new ResizeObserver(() => {
      if (element.clientWidth > 0) plot.setSize({ width: element.clientWidth, height: heightPx })
    })
    resize.observe(element)
    dark.addEventListener('change', draw)
    const timer = setInterval(() => {
      if (element.clientWidth > 0 && !document.hidden) plot.setData(latest.current())
    }, 1000)
    return () => {
      clearInterval(timer)
      dark.removeEventListener('change', draw)
      resize.disconnect()
      plot.destroy()
    }
  }, [lines, heightPx, spanSeconds])
  return html`<div class="plot" role="img" aria-label=${label} ref=${box} />`
}

/** Whole updates a second. */
const steps = [1, 10, 100, 1000, 10_000, 100_000].flatMap(power => [power, 2 * power, 5 * power])

function createPlot(element, { series, spanSeconds, heightPx }, data) {
  const style = getComputedStyle(element)
  const color = name => style.getPropertyValue(name).trim()
  const axis = { stroke: color('--plot-text'), font: '11px system-ui, sans-serif', ticks: { show: false } }
  const options = {
    width: Math.max(element.clientWidth, 100),
    height: heightPx,
    padding: [10, 24, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { range: () => [Date.now() / 1000 - spanSeconds, Date.now() / 1000 - 1] },
      y: { range: (_plot, _least, most) => [0, Math.max(most ?? 0, 4)] },
    },
    axes: [
      {
        ...axis,
        size: 24,
        space: 90,
        incrs: [5, 10, 15, 20, 30, 60, 120],
        grid: { show: false },
        values: (_plot, seconds) => seconds.map(formatSecond),
      },
      {
        ...axis,
        size: 42,
        space: 26,
        incrs: steps,
        grid: { stroke: color('--plot-grid'), width: 1 },
        values: (_plot, values) => values.map(formatCompact),
      },
    ],
    series: [
      {},
      ...series.map(({ label, color: name }) => ({
        label,
        stroke: color(name),
        fill: `color-mix(in srgb, ${color(name)} 12%, transparent)`,
        width: 1.5,
        points: { show: false },
      })),
    ],
  }
  return new uPlot(options, data, element)
}
