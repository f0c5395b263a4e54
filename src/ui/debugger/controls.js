import { copy } from './export.js'
import { html } from './html.js'
import { useEffect, useId, useRef, useState } from './vendor/preact-hooks.js'

/** A labelled field of one line, or of several where `rows` is given. */
export function Field({ label, hint, value, onInput, rows, action, ...rest }) {
  const id = useId()
  const described = hint === undefined ? {} : { 'aria-describedby': `${id}-hint` }
  const properties = {
    id,
    value,
    autocomplete: 'off',
    autocapitalize: 'off',
    spellcheck: false,
    onInput: event => onInput(event.currentTarget.value),
    ...described,
    ...rest,
  }
  return html`<div class="field">
    <div class="field-head"><label for=${id}>${label}</label>${action}</div>
    ${rows === undefined ? html`<input ...${properties} />` : html`<textarea rows=${rows} ...${properties} />`}
    ${hint !== undefined && html`<p class="hint" id="${id}-hint">${hint}</p>`}
  </div>`
}

export function Choice({ label, value, options, onChange }) {
  const id = useId()
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <select id=${id} value=${value} onChange=${event => onChange(event.currentTarget.value)}>
      ${options.map(([key, text]) => html`<option key=${key} value=${key}>${text}</option>`)}
    </select>
  </div>`
}

/** A few choices, all of them in sight. */
export function Segments({ label, value, options, onChange }) {
  const name = useId()
  return html`<fieldset class="segments">
    <legend class="unseen">${label}</legend>
    ${options.map(
      ([key, text]) => html`<label key=${key}>
        <input type="radio" name=${name} value=${key} checked=${key === value} onChange=${() => onChange(key)} />
        <span>${text}</span>
      </label>`,
    )}
  </fieldset>`
}

export const Check = ({ label, checked, onChange }) => html`<label class="check">
  <input type="checkbox" checked=${checked} onChange=${event => onChange(event.currentTarget.checked)} />
  <span>${label}</span>
</label>`

/** Says on its face that it has copied. */
export function CopyButton({ text, children = 'Copy', disabled = false, label }) {
  const [said, setSaid] = useState('')
  const timer = useRef()
  useEffect(() => () => clearTimeout(timer.current), [])
  const onClick = async () => {
    setSaid((await copy(text())) ? 'Copied' : 'Not copied')
    clearTimeout(timer.current)
    timer.current = setTimeout(() => setSaid(''), 1500)
  }
  return html`<button type="button" class="quiet" aria-label=${said === '' ? label : undefined} disabled=${disabled} onClick=${onClick}>
    <span aria-live="polite">${said === '' ? children : said}</span>
  </button>`
}

/** `tone`: `good`, `bad`, `busy`, `calm` or a generation's. */
export const Badge = ({ tone = 'calm', children }) => html`<span class="badge" data-tone=${tone}>${children}</span>`

export const Notice = ({
  tone = 'calm',
  title,
  children,
}) => html`<div class="notice" data-tone=${tone} role=${tone === 'bad' ? 'alert' : 'status'}>
  ${title !== undefined && html`<strong>${title}</strong>`}
  <div>${children}</div>
</div>`

/** What the hub refused, in its own words. */
export const Refusal = ({ refusal }) => html`<${Notice} tone="bad" title=${titleOf(refusal)}>
  ${refusal.code !== '' && html`<code>${refusal.code}</code> `}${refusal.message}
<//>`

function titleOf({ status, sent }) {
  if (!sent) return 'Not sent'
  return status === 0 ? 'No answer' : `Refused with ${status}`
}

/** What is to be seen here once there is something. */
export const Empty = ({ title, children }) =>
  html`<div class="empty"><p class="empty-title">${title}</p><p>${children}</p></div>`

/** A text that a terminal takes as it stands. */
export const Command = ({ label, text }) => html`<figure class="command">
  <figcaption><span>${label}</span><${CopyButton} text=${() => text} label=${`Copy: ${label}`} /></figcaption>
  <pre tabindex="0" aria-label=${label}><code>${text}</code></pre>
</figure>`
