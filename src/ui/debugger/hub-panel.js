import { Badge, CopyButton, Empty, Field, Refusal } from './controls.js'
import { byLabel, quantile, total } from './exposition.js'
import {
  formatBytes,
  formatCompact,
  formatCount,
  formatDuration,
  formatExactly,
  formatNumber,
  formatSeconds,
} from './format.js'
import { html } from './html.js'
import { HubReadings } from './hub-readings.js'
import { identity, nameIdentity } from './identity.js'
import { Plot } from './plot.js'
import { useStore } from './store.js'
import { useEffect, useMemo, useState } from './vendor/preact-hooks.js'

const everyMs = 2000

/** The hub itself: what it is, how it does. Read only while the panel is in sight. */
export function HubPanel({ config, active }) {
  useStore(identity)
  const [readings, askAgain] = useReadings(active, nameIdentity())
  const { hub, metrics, refusal, rates } = readings
  if (hub === undefined) {
    return html`<section class="panel" aria-labelledby="hub-title"><h2 id="hub-title">Hub</h2>
      ${
        refusal === undefined
          ? html`<${Empty} title="Reading">The hub is asked how it does.<//>`
          : html`<${Refused} readings=${readings} onAskAgain=${askAgain} />
          <p class="hint">These figures are for those whose token may read the subscriptions: one that grants subscribing to <code>/.well-known/mercure/subscriptions</code> or <code>*</code>.</p>`
      }
    </section>`
  }
  return html`<section class="panel" aria-labelledby="hub-title">
    <h2 id="hub-title">Hub</h2>
    ${refusal !== undefined && html`<${Refused} readings=${readings} onAskAgain=${askAgain} />`}
    <dl class="tiles">
      <${Tile} name="Version" value=${hub.version} more=${config.generations.join(' and ')} />
      <${Tile} name="Transport" value=${hub.transport} more=${hub.workers > 1 ? formatCount(hub.workers, 'worker') : 'one process'} />
      <${Tile} name="Up for" value=${formatDuration(hub.uptimeSeconds * 1000)} />
      <${Tile} name="Connections" value=${formatCompact(hub.connections)} more=${`${formatCompact(total(metrics, 'mercure_subscribers_total'))} so far`} />
      <${Tile} name="Waiting" value=${formatBytes(hub.waitingBytes)} more=${`for ${formatCount(total(metrics, 'talaria_subscribers_waiting'), 'slow reader')}`} />
      <${Tile} name="Published" value=${formatCompact(total(metrics, 'mercure_updates_total'))} more=${`${formatCompact(total(metrics, 'talaria_deliveries_total'))} delivered`} />
    </dl>
    <div class="card stack">
      <div class="row legend"><h3 class="grow">Per second</h3>
        <span class="key" data-line="1">published ${formatNumber(rates[1].at(-1) ?? 0)}</span>
        <span class="key" data-line="2">delivered ${formatNumber(rates[2].at(-1) ?? 0)}</span>
      </div>
      <${Plot} label="Updates published and delivered per second" heightPx=${160} spanSeconds=${240} read=${() => readings.rates}
        series=${[{ label: 'published', color: '--plot-1' }, { label: 'delivered', color: '--plot-2' }]} />
    </div>
    <div class="quarters">
      <div class="card stack">
        <h3>Recent updates in memory</h3>
        <${Meter} name="Updates" value=${hub.recent.entries} max=${hub.recent.maxEntries} format=${formatCompact} />
        <${Meter} name="Memory" value=${hub.recent.bytes} max=${hub.recent.maxBytes} format=${formatBytes} />
        <div class="meter"><span>Last event id</span><${CopyButton} text=${() => hub.lastEventId} label="Copy the last event id" /><code>${hub.lastEventId}</code></div>
      </div>
      <div class="card stack"><h3>How long it takes</h3><${Times} metrics=${metrics} /></div>
      <div class="card stack"><h3>Nodes</h3><${Nodes} nodes=${hub.nodes} /></div>
      <div class="card stack"><h3>Streams ended, by reason</h3>
        <${Bars} rows=${byLabel(metrics, 'talaria_streams_ended_total', 'reason')} empty="None has ended yet." /></div>
      <div class="card stack"><h3>Requests refused, by code</h3>
        <${Bars} rows=${byLabel(metrics, 'talaria_requests_refused_total', 'code')} empty="None was refused yet." /></div>
    </div>
    <${AllFigures} metrics=${metrics} />
  </section>`
}

/** What the hub refuses is not asked for every two seconds: each time would be a line in its log. */
const Refused = ({ readings: { refusal, isRefused }, onAskAgain }) => html`<${Refusal} refusal=${refusal} />
  ${isRefused && html`<div class="row"><button type="button" class="quiet" onClick=${onAskAgain}>Ask again</button></div>`}`

/** @returns the readings, and what asks once more where asking has stopped */
function useReadings(active, who) {
  const readings = useMemo(() => new HubReadings(), [who])
  const [asked, setAsked] = useState(0)
  const [, render] = useState(0)
  useEffect(() => {
    if (!active) return
    let timer
    let left = false
    const next = async () => {
      if (!document.hidden) await readings.read()
      if (left) return
      render(count => count + 1)
      if (!readings.isRefused) timer = setTimeout(next, everyMs)
    }
    next()
    return () => {
      left = true
      clearTimeout(timer)
    }
  }, [active, readings, asked])
  return [readings, () => setAsked(count => count + 1)]
}

const Tile = ({ name, value, more }) =>
  html`<div class="tile"><dt>${name}</dt><dd>${value}</dd>${more !== undefined && html`<dd class="hint">${more}</dd>`}</div>`

const Meter = ({ name, value, max, format }) => html`<div class="meter">
  <span>${name}</span><span class="hint">${format(value)}${max > 0 && ` of ${format(max)}`}</span>
  <progress aria-label="${name} of the recent window" value=${value} max=${Math.max(max, 1)} />
</div>`

const times = [
  ['talaria_publish_seconds', 'Publish'],
  ['talaria_delivery_first_seconds', 'First subscriber'],
  ['talaria_delivery_last_seconds', 'Last subscriber'],
  ['talaria_event_loop_delay_seconds', 'Event loop delay'],
]

const Times = ({ metrics }) => html`<table class="times">
  <thead><tr><th scope="col"><span class="unseen">What</span></th><th scope="col" class="number">half</th><th scope="col" class="number">99 %</th></tr></thead>
  <tbody>${times.map(
    ([name, text]) => html`<tr key=${name}><th scope="row">${text}</th>
    ${[0.5, 0.99].map(share => html`<td key=${share} class="number">${formatSeconds(quantile(metrics, name, share))}</td>`)}
  </tr>`,
  )}</tbody>
</table>`

const Nodes = ({ nodes }) =>
  html`<ul class="nodes">${nodes.map(
    ({ id, self, subscriptions }) => html`<li key=${id}>
  <code>${id}</code><span class="hint">${formatCount(subscriptions, 'subscription')}</span>${self && html`<${Badge} tone="good">answers here<//>`}
</li>`,
  )}</ul>`

function Bars({ rows, empty }) {
  if (rows.length === 0) return html`<p class="hint">${empty}</p>`
  const [[, most]] = rows
  return html`<ul class="bars">${rows.map(
    ([name, count]) => html`<li key=${name}>
    <span>${name}</span><span class="hint">${formatCompact(count)}</span>
    <span class="bar" aria-hidden="true" style=${{ inlineSize: `${Math.max(1, (100 * count) / most)}%` }} />
  </li>`,
  )}</ul>`
}

function AllFigures({ metrics }) {
  const [filter, setFilter] = useState('')
  const [open, setOpen] = useState(false)
  const rows = open
    ? [...metrics]
        .filter(([name]) => name.includes(filter.trim()))
        .flatMap(([name, { help, samples }]) => samples.map(sample => ({ name, help, ...sample })))
    : []
  return html`<details class="card" onToggle=${event => setOpen(event.currentTarget.open)}>
    <summary>All figures</summary>
    ${
      open &&
      html`<${Field} label="Filter by name" type="search" value=${filter} onInput=${setFilter} />
      <div class="table-box tall" tabindex="0" role="region" aria-label="All figures"><table>
        <thead><tr><th scope="col">Figure</th><th scope="col" class="number">Value</th></tr></thead>
        <tbody>${rows.slice(0, 500).map(
          ({ name, help, labels, value }) => html`<tr key=${name + JSON.stringify(labels)} title=${help}>
          <td><code>${name}</code> <span class="hint">${Object.entries(labels)
            .map(([label, text]) => `${label}=${text}`)
            .join(' ')}</span></td>
          <td class="number">${formatExactly(value)}</td></tr>`,
        )}</tbody>
      </table></div>`
    }
  </details>`
}
