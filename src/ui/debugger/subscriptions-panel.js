import { Badge, Choice, Empty, Field, Notice, Refusal } from './controls.js'
import { formatClock, formatCount, shorten } from './format.js'
import { html } from './html.js'
import { credentials, identity, nameIdentity } from './identity.js'
import { mintable, mintForEverything } from './mint-form.js'
import { createStore, useFrame, useStore } from './store.js'
import { SubscriptionList } from './subscription-list.js'
import { cleanToken, decodeToken } from './token.js'
import { useEffect, useMemo, useState } from './vendor/preact-hooks.js'

const maxShown = 300
const stateNames = { connecting: 'reading', open: 'live', retrying: 'retrying', ended: 'ended' }
const tones = { connecting: 'busy', open: 'good', retrying: 'busy', ended: 'bad' }

/** A collection speaks of one generation, that of its reader's token: the other one is read with a token of its own. */
const otherToken = createStore('')

/** Who is subscribed now, live. */
export function SubscriptionsPanel({ config, active }) {
  const { mode, token } = useStore(identity)
  const second = useStore(otherToken)
  const problem = findProblem(mode, token)
  const own = generationOf(mode, token, config)
  const other = config.tokens.find(generation => generation !== own)
  const [seen, setSeen] = useState(false)
  const [filter, setFilter] = useState('')
  const [chosen, setChosen] = useState('all')
  useEffect(() => {
    if (active) setSeen(true)
  }, [active])
  if (!config.subscriptions) {
    return html`<section class="panel" aria-labelledby="subscriptions-title"><h2 id="subscriptions-title">Subscriptions</h2>
      <${Empty} title="This hub keeps no list"><code>subscriptions: true</code> in its configuration lists who is subscribed.<//></section>`
  }
  if (config.tokens.length === 0) {
    return html`<section class="panel" aria-labelledby="subscriptions-title"><h2 id="subscriptions-title">Subscriptions</h2>
      <${Empty} title="Nobody may read the list">It is for those with a token, and this hub accepts none: <code>jwt_key</code> or <code>issuers</code> in its configuration say whose it does.<//></section>`
  }
  if (!seen)
    return html`<section class="panel" aria-labelledby="subscriptions-title"><h2 id="subscriptions-title">Subscriptions</h2></section>`
  return html`<section class="panel" aria-labelledby="subscriptions-title">
    <h2 id="subscriptions-title">Subscriptions</h2>
    <div class="card toolbar">
      <${Field} label="Filter by topic, subscriber, payload or node" value=${filter} onInput=${setFilter} type="search" />
      ${config.tokens.length > 1 && html`<${Choice} label="Generation" value=${chosen} onChange=${setChosen} options=${[['all', 'all'], ...config.tokens.map(name => [name, name])]} />`}
    </div>
    ${
      chosen !== other &&
      (problem === undefined
        ? html`<${List} key=${own} generation=${own} mode=${mode} token=${token} who=${nameIdentity()} filter=${filter} />`
        : html`<${Empty} title="The list is for those with a token">${problem}<//>`)
    }
    ${
      other !== undefined &&
      chosen !== own &&
      html`<h3>Generation ${other}</h3>
      ${
        second === ''
          ? html`<${OtherToken} config=${config} generation=${other} />`
          : html`<${List} key=${other} generation=${other} mode="header" token=${second} who=${second} filter=${filter} />`
      }`
    }
  </section>`
}

/** Why asking for the list is to no purpose. */
function findProblem(mode, token) {
  if (mode === 'anonymous' || (mode === 'header' && token === ''))
    return html`One that grants subscribing to <code>/.well-known/mercure/subscriptions</code> or <code>*</code>, pasted on Connect, lists who is subscribed.`
  return mode === 'header' ? decodeToken(token).problem : undefined
}

/** That of the lists which a token reads; a hub answers in no other. */
function generationOf(mode, token, { tokens }) {
  const decoded = mode === 'header' && token !== '' ? decodeToken(token) : undefined
  const generation = decoded === undefined || 'problem' in decoded ? undefined : decoded.generation
  return tokens.includes(generation) ? generation : tokens[0]
}

function OtherToken({ config, generation }) {
  const [refusal, setRefusal] = useState()
  const [pasted, setPasted] = useState('')
  const { problem } = decodeToken(pasted)
  const paste = text => {
    const token = cleanToken(text)
    setPasted(token)
    if (!('problem' in decodeToken(token))) otherToken.set(token)
  }
  const mint = async () => {
    const answer = await mintForEverything(config, generation)
    setRefusal(answer.refusal)
    if (answer.ok) otherToken.set(answer.json.token)
  }
  return html`<div class="card stack">
    <p class="hint">A list speaks of the generation of its reader’s token. One of ${generation} shows the subscriptions of ${generation}.</p>
    <${Field} label="Token of ${generation}" value=${pasted} onInput=${paste} class="mono" placeholder="eyJ…" />
    ${pasted !== '' && problem !== undefined && html`<${Notice} tone="bad" title="This cannot be read">${problem}<//>`}
    ${mintable(config).includes(generation) && html`<div class="row"><button type="button" class="quiet" onClick=${mint}>Mint a development token</button></div>`}
    ${refusal !== undefined && html`<${Refusal} refusal=${refusal} />`}
  </div>`
}

function List({ generation: asked, mode, token, who, filter }) {
  const list = useMemo(() => new SubscriptionList(asked, () => credentials({ mode, token })), [asked, mode, who])
  useEffect(() => {
    list.load()
    return () => list.close()
  }, [list])
  useFrame(list.changed)
  const { generation, state, subscriptions, nodes, events } = list
  const nodeOf = subscriber => nodes.nodes[nodes.of[subscriber]]
  const wanted = filter.toLowerCase()
  const all = [...subscriptions.values()]
  const fits = ({ pattern, subscriber, payload }) =>
    [pattern, subscriber, JSON.stringify(payload) ?? '', nodeOf(subscriber) ?? ''].some(text =>
      text.toLowerCase().includes(wanted),
    )
  const shown = wanted === '' ? all : all.filter(fits)
  const subscribers = new Set(all.map(({ subscriber }) => subscriber)).size
  return html`<div class="card stack subscriptions" data-generation=${generation}>
    <div class="row">
      <${Badge} tone=${generation}>${generation}<//>
      <${Badge} tone=${tones[state.name]}>${stateNames[state.name]}<//>
      <span class="hint grow subscription-count" aria-live="polite">
        ${state.refusal === undefined && `${formatCount(all.length, 'subscription')} of ${formatCount(subscribers, 'subscriber')}`}
      </span>
      <button type="button" class="quiet" onClick=${() => list.load()}>Read again</button>
      ${token !== '' && mode === 'header' && token === otherToken.value && html`<button type="button" class="quiet" onClick=${() => otherToken.set('')}>Forget its token</button>`}
    </div>
    ${
      state.refusal !== undefined
        ? html`<${Refusal} refusal=${state.refusal} />`
        : state.name === 'retrying' && html`<${Notice} tone="busy" title="Not live">${state.reason}<//>`
    }
    ${
      shown.length === 0
        ? state.refusal === undefined &&
          html`<${Empty} title=${all.length === 0 ? 'Nobody is subscribed' : 'Nothing passes the filter'}>
          ${all.length === 0 ? 'Who subscribes appears here at once.' : `No subscription has “${filter}” in it.`}<//>`
        : html`<${Table} shown=${shown.slice(0, maxShown)} nodeOf=${nodeOf} generation=${generation} />
        ${shown.length > maxShown && html`<p class="hint">The first ${maxShown} of ${shown.length}: the filter narrows them down.</p>`}`
    }
    ${
      events.length > 0 &&
      html`<details class="changes"><summary>${events.length === 1 ? 'The last change' : `The last ${events.length} changes`}</summary>
      <ol>${events.map(
        ({ number, at, active, subscription }) => html`<li key=${number}>
        <span class="hint">${formatClock(at)}</span> <${Badge} tone=${active ? 'good' : 'calm'}>${active ? 'came' : 'left'}<//> <code>${subscription.pattern}</code>
      </li>`,
      )}</ol></details>`
    }
  </div>`
}

/** A table to who listens, also where the rows are too narrow for cells side by side: hence the roles. */
const Table = ({
  shown,
  nodeOf,
  generation,
}) => html`<div class="table-box" tabindex="0" role="region" aria-label="Subscriptions of ${generation}">
  <table role="table">
    <thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">Matcher</th><th role="columnheader" scope="col">Subscriber</th><th role="columnheader" scope="col">Node</th><th role="columnheader" scope="col">Payload</th></tr></thead>
    <tbody role="rowgroup">${shown.map(
      ({ id, kind, pattern, subscriber, payload }) => html`<tr role="row" key=${id}>
      <td role="cell"><span class="hint">${kind}</span> <code>${pattern}</code></td>
      <td role="cell" data-label="subscriber"><code title=${subscriber}>${shorten(subscriber, 22)}</code></td>
      <td role="cell" data-label="node">${nodeOf(subscriber) === undefined ? html`<span class="hint">–</span>` : html`<code title=${nodeOf(subscriber)}>${shorten(nodeOf(subscriber), 14)}</code>`}</td>
      <td role="cell" data-label="payload">${payload === undefined ? html`<span class="hint">none</span>` : html`<code>${JSON.stringify(payload)}</code>`}</td>
    </tr>`,
    )}</tbody>
  </table>
</div>`
