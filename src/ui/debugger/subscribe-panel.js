import { connectionsAreScarce, maxConnections } from './address.js'
import { Command, Empty, Field, Notice } from './controls.js'
import { countConnected } from './event-stream.js'
import { html } from './html.js'
import { identity, presentedToken } from './identity.js'
import { subscribeCommand } from './shell.js'
import { useStore } from './store.js'
import { StreamCard } from './stream-card.js'
import { matcherKinds, maxStreams, openStream, streams, streamUrl } from './streams.js'
import { useState } from './vendor/preact-hooks.js'

export function SubscribePanel({ config }) {
  const open = useStore(streams)
  const connected = countConnected()
  return html`<section class="panel" aria-labelledby="subscribe-title">
    <h2 id="subscribe-title">Subscribe</h2>
    <${SubscribeForm} config=${config} full=${open.length >= maxStreams} />
    ${
      connected >= maxConnections &&
      connectionsAreScarce() &&
      html`<${Notice} tone="busy" title="More streams than connections">
      Over HTTP/1.1 a browser opens ${maxConnections} connections to a host, and ${connected} streams hold them all: what is beyond
      waits, publishing and the other panels too. Close a stream, or reach the hub over HTTP/2.
    <//>`
    }
    ${
      open.length === 0
        ? html`<${Empty} title="No stream is open">Open one above: what is published from then on appears here, whatever its type.<//>`
        : html`<div class="streams" data-count=${open.length}>
          ${open.map(entry => html`<${StreamCard} key=${entry.number} entry=${entry} />`)}
        </div>`
    }
  </section>`
}

function SubscribeForm({ config, full }) {
  useStore(identity)
  const kinds = matcherKinds.filter(({ generation }) => config.generations.includes(generation))
  const [matchers, setMatchers] = useState([{ kind: kinds[0].kind, pattern: '*' }])
  const [lastEventId, setLastEventId] = useState('')
  const change = (place, members) =>
    setMatchers(matchers.map((matcher, at) => (at === place ? { ...matcher, ...members } : matcher)))
  const filled = matchers.filter(({ pattern }) => pattern !== '')
  const submit = event => {
    event.preventDefault()
    if (filled.length > 0 && !full) openStream(filled, lastEventId.trim())
  }
  return html`<form class="card subscribe-form" onSubmit=${submit}>
    ${matchers.map(
      (matcher, place) => html`<${MatcherRow}
        key=${place}
        place=${place}
        kinds=${kinds}
        matcher=${matcher}
        onChange=${members => change(place, members)}
        onRemove=${matchers.length > 1 && (() => setMatchers(matchers.filter((_, at) => at !== place)))}
      />`,
    )}
    <div class="row end">
      <${Field} label="Last event id" value=${lastEventId} onInput=${setLastEventId} placeholder="none: only what comes from now on"
        action=${html`<button type="button" class="link" onClick=${() => setLastEventId('earliest')}>earliest</button>`} />
      <button type="button" onClick=${() => setMatchers([...matchers, { kind: matchers.at(-1).kind, pattern: '' }])}
        disabled=${matchers.length >= 100}>Add a matcher</button>
      <button type="submit" class="primary" disabled=${filled.length === 0 || full}>Open stream</button>
    </div>
    ${full && html`<p class="hint">${maxStreams} streams are side by side: close one to open another.</p>`}
    <details>
      <summary>In a terminal</summary>
      <${Command} label="The same stream with curl" text=${subscribeCommand(streamUrl(filled), lastEventId.trim(), presentedToken())} />
    </details>
  </form>`
}

function MatcherRow({ place, kinds, matcher, onChange, onRemove }) {
  const { placeholder } = kinds.find(({ kind }) => kind === matcher.kind)
  const name = `Matcher ${place + 1}`
  return html`<div class="matcher-row">
    <select aria-label="${name}: kind" value=${matcher.kind} onChange=${event => onChange({ kind: event.currentTarget.value })}>
      ${kinds.map(({ kind, name, generation }) => html`<option key=${kind} value=${kind}>${name} (${generation})</option>`)}
    </select>
    <input aria-label="${name}: pattern" value=${matcher.pattern} placeholder=${placeholder} autocomplete="off" spellcheck=${false}
      onInput=${event => onChange({ pattern: event.currentTarget.value })} />
    ${onRemove && html`<button type="button" class="quiet" aria-label="Remove matcher ${place + 1}" onClick=${onRemove}>Remove</button>`}
  </div>`
}
