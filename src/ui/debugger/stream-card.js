import { Badge, CopyButton, Notice } from './controls.js'
import { save, toNdjson } from './export.js'
import { formatCompact, formatCount, formatDuration, formatNumber, formatRetry } from './format.js'
import { html } from './html.js'
import { Plot } from './plot.js'
import { useFrame, useNow } from './store.js'
import { removeStream } from './streams.js'
import { UpdateTable } from './update-table.js'

const tones = { connecting: 'busy', open: 'good', retrying: 'busy', ended: 'bad' }

/** One stream: what it asks for, how it is, what has come. */
export function StreamCard({ entry }) {
  const { number, matchers, source, log, rate, changed, as } = entry
  useFrame(changed)
  const { state } = source
  const title = `stream-${number}`
  return html`<article class="card stream" aria-labelledby=${title} data-state=${state.name}>
    <header class="stream-head">
      <div class="stream-title">
        <h3 id=${title}>Stream ${number}</h3>
        <${Badge} tone=${tones[state.name]}>${state.name}<//>
        <span class="hint">${as === 'anonymous' ? as : `with ${as}`}</span>
      </div>
      <div class="row">
        ${
          state.name === 'ended' || state.name === 'retrying'
            ? html`<button type="button" class="quiet" onClick=${() => source.connect()}>Reconnect now</button>`
            : html`<button type="button" class="quiet" onClick=${() => source.close()}>Stop</button>`
        }
        <button type="button" class="quiet" aria-label="Remove stream ${number}" onClick=${() => removeStream(entry)}>Remove</button>
      </div>
      <ul class="chips" aria-label="Matchers">
        ${matchers.map(({ kind, pattern }, place) => html`<li key=${place}><span class="hint">${kind}</span> <code>${pattern}</code></li>`)}
      </ul>
    </header>
    <${StateLine} state=${state} />
    ${
      entry.gap !== undefined &&
      html`<${Notice} tone="busy" title="There may be a gap">
      The hub no longer has, or never had, the update <code>${entry.gap}</code>: what came after it is not repeated.
    <//>`
    }
    <${Plot} label="Updates per second over the last minute" heightPx=${88} spanSeconds=${60} series=${[{ label: 'updates', color: '--plot-1' }]}
      read=${() => rate.series()} />
    <${Counts} log=${log} rate=${rate} source=${source} />
    <${Toolbar} log=${log} matchers=${matchers} number=${number} />
    <${UpdateTable} log=${log} matchers=${matchers} number=${number} waiting=${state.name === 'open'} />
  </article>`
}

function StateLine({ state }) {
  const now = useNow(1000, state.name === 'retrying')
  const inSeconds = state.name === 'retrying' ? Math.ceil((state.retryAt - now) / 1000) : 0
  if (state.reason === '') return null
  return html`<p class="state-line" data-tone=${tones[state.name]} role="status">
    ${state.reason}${state.name === 'retrying' && html`<span aria-hidden="true"> Next try in ${formatDuration(inSeconds * 1000)}.</span>`}
  </p>`
}

function Counts({ log, rate, source }) {
  useNow(1000)
  useFrame(log.changed)
  return html`<dl class="counts">
    <div><dt>Received</dt><dd class="received">${formatCompact(log.received)}</dd></div>
    <div><dt>Per second</dt><dd>${formatNumber(rate.perSecond)}</dd></div>
    <div><dt>Retry</dt><dd>${formatRetry(source.retryMs)}</dd></div>
    <div class="wide"><dt>Last event id</dt><dd><code title=${source.lastEventId}>${source.lastEventId === '' ? '–' : source.lastEventId}</code></dd></div>
  </dl>`
}

function Toolbar({ log, matchers, number }) {
  useFrame(log.changed)
  const none = log.shown.length === 0
  const text = () => toNdjson(log.shown, matchers)
  return html`<div class="toolbar" role="group" aria-label="Updates of stream ${number}">
    <input type="search" aria-label="Filter updates" placeholder="Filter" onInput=${event => log.setFilter(event.currentTarget.value)} />
    <button type="button" class="quiet" aria-pressed=${log.paused} onClick=${() => (log.paused ? log.resume() : log.pause())}>
      ${log.paused ? `Resume (${formatCompact(log.heldBack)} new)` : 'Pause'}
    </button>
    <button type="button" class="quiet" onClick=${() => log.clear()}>Clear</button>
    <${CopyButton} text=${text} disabled=${none} label="Copy updates as NDJSON" />
    <button type="button" class="quiet" disabled=${none} onClick=${() => save(`stream-${number}.ndjson`, text(), 'application/x-ndjson')}>Export</button>
    ${log.forgotten > 0 && html`<span class="hint">${formatCount(log.forgotten, 'older update')} no longer kept</span>`}
  </div>`
}
