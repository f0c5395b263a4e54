/**
 * Reads the text format of Prometheus.
 * @returns {Map<string, {help: string, type: string, samples: {labels: Record<string, string>, value: number}[]}>} by sample name
 */
export function readExposition(text) {
  const metrics = new Map()
  const described = new Map()
  const about = name => {
    if (!described.has(name)) described.set(name, { help: '', type: 'untyped' })
    return described.get(name)
  }
  for (const line of text.split('\n')) {
    const [, keyword, name, rest] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? []
    if (keyword === 'HELP') about(name).help = rest
    else if (keyword === 'TYPE') about(name).type = rest
    else if (!line.startsWith('#')) addSample(metrics, line, about)
  }
  return metrics
}

function addSample(metrics, line, about) {
  const [, name, labels = '', value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line) ?? []
  if (name === undefined) return
  if (!metrics.has(name))
    metrics.set(name, { ...about(name.replace(/_(bucket|sum|count)$/, '')), ...about(name), samples: [] })
  metrics.get(name).samples.push({ labels: readLabels(labels), value: Number(value) })
}

const readLabels = text =>
  Object.fromEntries(
    [...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [
      name,
      value.replace(/\\(.)/g, (_, character) => (character === 'n' ? '\n' : character)),
    ]),
  )

/** All samples of a metric together; 0: it is not there. */
export const total = (metrics, name) => (metrics.get(name)?.samples ?? []).reduce((sum, { value }) => sum + value, 0)

/** A metric's values by one of its labels, largest first. */
export function byLabel(metrics, name, label) {
  const sums = new Map()
  for (const { labels, value } of metrics.get(name)?.samples ?? []) {
    sums.set(labels[label] ?? '', (sums.get(labels[label] ?? '') ?? 0) + value)
  }
  return [...sums].filter(([, value]) => value > 0).sort(([, a], [, b]) => b - a)
}

/**
 * The bound within which that share of a histogram's observations lies, interpolated inside of its bucket as `histogram_quantile` does.
 * @param {number} share from 0 to 1
 * @returns {number | undefined} `undefined`: nothing was observed
 */
export function quantile(metrics, name, share) {
  const counts = new Map()
  for (const { labels, value } of metrics.get(`${name}_bucket`)?.samples ?? []) {
    const bound = labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le)
    counts.set(bound, (counts.get(bound) ?? 0) + value)
  }
  const buckets = [...counts].sort(([a], [b]) => a - b)
  const rank = share * (buckets.at(-1)?.[1] ?? 0)
  if (rank === 0) return
  const place = buckets.findIndex(([, count]) => count >= rank)
  const [bound, count] = buckets[place]
  const [lowerBound, lowerCount] = buckets[place - 1] ?? [0, 0]
  return bound === Number.POSITIVE_INFINITY
    ? lowerBound
    : lowerBound + ((bound - lowerBound) * (rank - lowerCount)) / (count - lowerCount)
}
