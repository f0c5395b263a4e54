import { debugUrl } from './address.js'
import { Check, Empty, Field, Notice, Refusal, Segments } from './controls.js'
import { html } from './html.js'
import { identity, setCookieToken, setMode, setRemembered, setToken } from './identity.js'
import { MintForm } from './mint-form.js'
import { postJson } from './request.js'
import { useStore } from './store.js'
import { decodeToken } from './token.js'
import { TokenView } from './token-view.js'
import { useState } from './vendor/preact-hooks.js'
import { WhyForm } from './why-form.js'

/** As whom the page speaks to the hub. */
export function ConnectPanel({ config }) {
  const { mode, token, remembered, cookieToken } = useStore(identity)
  /** `undefined`: the browser alone knows. */
  const carried = { header: token, cookie: cookieToken, anonymous: '' }[mode]
  return html`<div class="split">
    <section class="panel" aria-labelledby="connect-title">
      <h2 id="connect-title">Connect</h2>
      <div class="card stack">
        <${Segments} label="How requests are authorized" value=${mode} onChange=${setMode}
          options=${[['header', 'Header'], ['cookie', 'Cookie'], ['anonymous', 'Anonymous']]} />
        <p class="hint">${about(mode, config)}</p>
        ${
          mode !== 'anonymous' &&
          html`
          <${Field} label="Token" rows="5" class="mono" value=${token} onInput=${setToken} placeholder="eyJ…: paste a JWT"
            action=${token !== '' && html`<button type="button" class="link" onClick=${() => setToken('')}>forget</button>`} />
          <${Check} label="Remember in this tab" checked=${remembered} onChange=${setRemembered} />`
        }
        ${mode === 'cookie' && html`<${CookieButtons} config=${config} token=${token} />`}
      </div>
      ${config.canMint && mode !== 'anonymous' && html`<${MintForm} config=${config} />`}
    </section>
    <section class="panel" aria-labelledby="decoded-title">
      <h2 id="decoded-title">What the ${mode === 'cookie' ? 'cookie' : 'token'} says</h2>
      <div class="card stack">
        ${mode === 'cookie' && !cookieToken ? html`<${UnseenCookie} expired=${cookieToken === ''} />` : html`<${TokenView} token=${carried} />`}
      </div>
      ${
        mode === 'cookie' &&
        token !== '' &&
        token !== cookieToken &&
        html`<h3>The token of the field, which is not the cookie</h3>
      <div class="card stack"><${TokenView} token=${token} /></div>`
      }
      <h2 id="why-title">Why?</h2>
      <${WhyForm} token=${carried ?? token} />
    </section>
  </div>`
}

const UnseenCookie = ({ expired }) =>
  expired
    ? html`<${Empty} title="No cookie">It was expired from here: requests carry no token.<//>`
    : html`<${Empty} title="Only the browser knows">Whether it has a cookie for this hub, and which, no script can read.<//>`

function about(mode, { anonymous, cookieNames, tokens }) {
  if (mode === 'header')
    return 'Requests carry the token in the Authorization header. It stays in this page, and is part of no URL.'
  if (mode === 'cookie') {
    const names = [...new Set(tokens.map(generation => cookieNames[generation]))].join(' or ')
    return `Requests carry the cookie that this browser has for the hub: ${names}. Scripts cannot read it.`
  }
  return anonymous
    ? 'Requests carry no token. This hub lets anybody subscribe; private updates and publishing need a token.'
    : 'Requests carry no token. This hub refuses them: it is not configured with allow_anonymous.'
}

function CookieButtons({ config, token }) {
  const [outcome, setOutcome] = useState()
  if (!config.demo)
    return html`<p class="hint">Only a hub that runs with <code>demo: true</code> sets it from here.</p>`
  const put = async value => {
    const decoded = decodeToken(token)
    const generation = 'problem' in decoded ? config.tokens[0] : decoded.generation
    const answer = await postJson(debugUrl('cookie'), { token: value, generation }, { credentials: 'same-origin' })
    setOutcome({ ...answer, expired: value === null })
    if (answer.ok) setCookieToken(value ?? '')
  }
  return html`<div class="row">
      <button type="button" class="primary" disabled=${token === ''} onClick=${() => put(token)}>Set the cookie</button>
      <button type="button" class="quiet" onClick=${() => put(null)}>Expire it</button>
    </div>
    ${
      outcome?.ok &&
      (outcome.expired
        ? html`<${Notice} title="Expired">The browser was told to forget <code>${outcome.json.name}</code>: requests carry no token.<//>`
        : html`<${Notice} tone="good" title="Set">Requests carry the cookie <code>${outcome.json.name}</code> now, with the token that was in the field.<//>`)
    }
    ${outcome?.refusal && html`<${Refusal} refusal=${outcome.refusal} />`}`
}
