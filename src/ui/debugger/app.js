import { debugUrl, hubUrl } from './address.js'
import { ConnectPanel } from './connect-panel.js'
import { Empty, Refusal } from './controls.js'
import { html } from './html.js'
import { HubPanel } from './hub-panel.js'
import { describeIdentity, identity, setToken } from './identity.js'
import { mintable, mintForEverything } from './mint-form.js'
import { PublishPanel } from './publish-panel.js'
import { askJson } from './request.js'
import { useStore } from './store.js'
import { SubscribePanel } from './subscribe-panel.js'
import { SubscriptionsPanel } from './subscriptions-panel.js'
import { decodeToken } from './token.js'
import { Expiry } from './token-view.js'
import { useEffect, useRef, useState } from './vendor/preact-hooks.js'

const tabs = [
  ['live', 'Live'],
  ['connect', 'Connect'],
  ['subscriptions', 'Subscriptions'],
  ['hub', 'Hub'],
]

export function App() {
  const [start, setStart] = useState({})
  const [tab, setTab] = useState(tabs.some(([name]) => location.hash === `#${name}`) ? location.hash.slice(1) : 'live')
  useEffect(() => {
    begin().then(setStart)
  }, [])
  const choose = name => {
    setTab(name)
    history.replaceState(null, '', `#${name}`)
  }
  const { config, refusal } = start
  return html`<header class="top">
      <div class="brand"><img src="icon.svg" alt="" width="26" height="26" /><h1>Talaria <span>debugger</span></h1></div>
      <${Tabs} tab=${tab} onChoose=${choose} />
      ${config !== undefined && html`<${Identity} onClick=${() => choose('connect')} />`}
    </header>
    ${config?.demo && html`<p class="banner"><strong>Demo</strong> This hub runs with <code>demo: true</code>: for development, not for the open network.</p>`}
    <main>
      ${refusal !== undefined && html`<${Refusal} refusal=${refusal} />`}
      ${
        config === undefined
          ? refusal === undefined && html`<${Empty} title="One moment">The hub is asked what it offers.<//>`
          : tabs.map(
              ([
                name,
              ]) => html`<div key=${name} id="panel-${name}" role="tabpanel" aria-labelledby="tab-${name}" hidden=${tab !== name}>
            ${createPanel[name](config, tab === name)}
          </div>`,
            )
      }
    </main>
    <footer><code>${hubUrl}</code>${config !== undefined && html` · Talaria ${config.version} · ${describeGenerations(config)}`}</footer>`
}

/** Of a generation whose tokens a hub does not accept it speaks to anonymous subscribers alone. */
function describeGenerations({ generations, tokens }) {
  const speaks = `speaks ${generations.join(' and ')}`
  if (tokens.length === generations.length) return speaks
  return `${speaks}, accepts ${tokens.length === 0 ? 'no tokens' : `tokens of ${tokens.join(' and ')}`}`
}

const createPanel = {
  live: config =>
    html`<div class="live"><${SubscribePanel} config=${config} /><${PublishPanel} config=${config} /></div>`,
  connect: config => html`<${ConnectPanel} config=${config} />`,
  subscriptions: (config, active) => html`<${SubscriptionsPanel} config=${config} active=${active} />`,
  hub: (config, active) => html`<${HubPanel} config=${config} active=${active} />`,
}

/** What the hub offers; on a demo, with a token at once, so that the first click succeeds. */
async function begin() {
  const { json: config, refusal } = await askJson(debugUrl('config.json'), { credentials: 'omit' })
  const [generation] = refusal === undefined ? mintable(config) : []
  if (refusal === undefined && config.demo && generation !== undefined && identity.value.token === '') {
    const minted = await mintForEverything(config, generation)
    if (minted.ok) setToken(minted.json.token)
  }
  return { config, refusal }
}

/** As the ARIA Authoring Practices have tabs: one stop of the Tab key, arrows go from one to the next. */
function Tabs({ tab, onChoose }) {
  const list = useRef()
  const onKeyDown = event => {
    const place = tabs.findIndex(([name]) => name === tab)
    const next = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 }[event.key]
    if (next === undefined) return
    event.preventDefault()
    const [name] = tabs.at(next % tabs.length)
    onChoose(name)
    list.current.querySelector(`#tab-${name}`).focus()
  }
  return html`<div class="tabs" role="tablist" aria-label="Panels" ref=${list} onKeyDown=${onKeyDown}>
    ${tabs.map(
      ([name, text]) => html`<button key=${name} type="button" role="tab" id="tab-${name}" aria-controls="panel-${name}"
      aria-selected=${tab === name} tabindex=${tab === name ? 0 : -1} onClick=${() => onChoose(name)}>${text}</button>`,
    )}
  </div>`
}

/** As whom the page speaks, wherever one is. */
function Identity({ onClick }) {
  const { mode, token } = useStore(identity)
  const decoded = mode === 'header' && token !== '' ? decodeToken(token) : { problem: '' }
  return html`<button type="button" class="identity" onClick=${onClick}>
    <span class="unseen">Identity: </span><span>${describeIdentity()}</span>
    ${!('problem' in decoded) && html`<${Expiry} expiresAt=${decoded.expiresAt} notBefore=${decoded.notBefore} />`}
  </button>`
}
