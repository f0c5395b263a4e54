import { Badge, Empty, Notice } from './controls.js'
import { formatDuration, formatMoment } from './format.js'
import { html } from './html.js'
import { JsonView } from './json-view.js'
import { useNow } from './store.js'
import { decodeToken } from './token.js'

/** A token, decoded: nothing here is verified. */
export function TokenView({ token }) {
  if (token === '') {
    return html`<${Empty} title="No token">Paste one, and what it grants is listed here.<//>`
  }
  const decoded = decodeToken(token)
  if ('problem' in decoded) return html`<${Notice} tone="bad" title="This cannot be read">${decoded.problem}<//>`
  const { header, claims, headerText, claimsText, generation, publish, subscribe, payloads, expiresAt, notBefore } =
    decoded
  const fact = (name, value) =>
    value !== undefined &&
    html`<dt>${name}</dt><dd><code>${typeof value === 'string' ? value : JSON.stringify(value)}</code></dd>`
  return html`<div class="row">
      <${Badge} tone=${generation}>${generation}<//>
      <${Expiry} expiresAt=${expiresAt} notBefore=${notBefore} />
    </div>
    <div class="columns">
      <${Grants} title="May publish" topics=${publish} />
      <${Grants} title="Gets private updates of" topics=${subscribe} />
    </div>
    <dl class="facts">
      ${fact('Algorithm', header.alg)}${fact('Key id', header.kid)}${fact('Type', header.typ)}${fact('Issuer', claims.iss)}
      ${fact('Audience', claims.aud)}${fact('Subject', claims.sub)}
      ${payloads.map((payload, place) => html`<dt key=${place}>Payload</dt><dd><code>${JSON.stringify(payload)}</code></dd>`)}
    </dl>
    <details>
      <summary>Header and claims</summary>
      <${JsonView} text=${headerText} label="Header" />
      <${JsonView} text=${claimsText} label="Claims" />
    </details>`
}

/** Counts down. */
export function Expiry({ expiresAt, notBefore }) {
  const now = useNow(1000, expiresAt !== undefined || notBefore !== undefined)
  if (notBefore !== undefined && notBefore > now)
    return html`<${Badge} tone="busy">valid in ${formatDuration(notBefore - now)}<//>`
  if (expiresAt === undefined) return html`<${Badge}>never expires<//>`
  if (expiresAt <= now) return html`<${Badge} tone="bad">expired ${formatDuration(now - expiresAt)} ago<//>`
  return html`<span title=${formatMoment(expiresAt)}><${Badge} tone=${expiresAt - now < 60_000 ? 'busy' : 'good'}>expires in ${formatDuration(expiresAt - now)}<//></span>`
}

const maxListed = 100

const Grants = ({ title, topics }) => html`<div class="grants">
  <h3>${title}</h3>
  ${
    topics === null || topics.length === 0
      ? html`<p class="hint">${topics === null ? 'nothing: the token does not speak of it' : 'nothing: the list is empty'}</p>`
      : html`<ul class="chips">${topics
          .slice(0, maxListed)
          .map(
            ({ kind, pattern }, place) =>
              html`<li key=${place}>${kind === 'urlpattern' && html`<span class="hint">urlpattern </span>`}<code>${pattern}</code></li>`,
          )}
        ${topics.length > maxListed && html`<li>and ${topics.length - maxListed} more</li>`}</ul>`
  }
</div>`
