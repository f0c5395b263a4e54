import { hubUrl } from './address.js'
import { Badge, Check, Command, Empty, Field, Notice, Refusal } from './controls.js'
import { formatClock, formatNumber, readLines } from './format.js'
import { html } from './html.js'
import { identity, presentedToken } from './identity.js'
import { fieldsOf, history, publish } from './publishing.js'
import { publishCommand } from './shell.js'
import { useStore } from './store.js'
import { useRef, useState } from './vendor/preact-hooks.js'

const firstDraft = {
  topics: 'https://example.com/books/1',
  data: '{"title": "The Dispossessed", "available": true}',
  private: false,
  id: '',
  type: '',
  retry: '',
}

export function PublishPanel({ config }) {
  const { mode } = useStore(identity)
  const sent = useStore(history)
  const form = useRef()
  const [draft, setDraft] = useState(firstDraft)
  const [waiting, setWaiting] = useState(0)
  const busy = waiting > 0
  const set = name => value => setDraft({ ...draft, [name]: value })
  const ready = { ...draft, topics: readLines(draft.topics) }
  const send = async update => {
    setWaiting(count => count + 1)
    await publish(update)
    setWaiting(count => count - 1)
  }
  const submit = event => {
    event.preventDefault()
    if (!busy) send(ready)
  }
  const onKeyDown = event => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.current.requestSubmit()
  }
  const load = ({ draft: { topics, ...rest } }) => setDraft({ ...rest, topics: topics.join('\n') })
  return html`<section class="panel" aria-labelledby="publish-title">
    <h2 id="publish-title">Publish</h2>
    <form class="card publish-form" ref=${form} onSubmit=${submit} onKeyDown=${onKeyDown}>
      <${Field} label="Topics" rows="2" value=${draft.topics} onInput=${set('topics')} hint="One a line: the first is canonical, the others are alternates." required />
      <${Field} label="Data" rows="5" value=${draft.data} onInput=${set('data')} />
      <div class="columns">
        <${Field} label="Type" value=${draft.type} onInput=${set('type')} placeholder="message" />
        <${Field} label="Id" value=${draft.id} onInput=${set('id')} placeholder="the hub's" />
        <${Field} label="Retry, ms" value=${draft.retry} onInput=${set('retry')} inputmode="numeric" placeholder="unchanged" />
      </div>
      <div class="row">
        <${Check} label="Private" checked=${draft.private} onChange=${set('private')} />
        <span class="grow" />
        <kbd class="hint">Ctrl Enter</kbd>
        <button type="submit" class="primary" aria-disabled=${busy}>${busy ? 'Publishing…' : 'Publish'}</button>
      </div>
      ${
        mode === 'cookie' &&
        !config.canPublishByCookie &&
        html`<${Notice} tone="busy">By cookie the hub takes updates only from pages of origins in <code>publish_allowed_origins</code>; this one is not in there.<//>`
      }
      ${busy ? html`<${Notice} tone="busy" title="Publishing…">The hub has not answered yet.<//>` : sent.length > 0 && html`<${Outcome} entry=${sent[0]} />`}
      <details>
        <summary>In a terminal</summary>
        <${Command} label="The same update with curl" text=${publishCommand(hubUrl, fieldsOf(ready), presentedToken())} />
        ${mode === 'cookie' && html`<p class="hint">The cookie is not for scripts to read: this line has no token.</p>`}
      </details>
    </form>
    <h3>Sent from here</h3>
    ${
      sent.length === 0
        ? html`<${Empty} title="Nothing sent yet">Each update appears here with its answer, to be sent again or changed.<//>`
        : html`<ol class="history">
          ${sent.map(entry => html`<${Sent} key=${entry.number} entry=${entry} onResend=${() => send(entry.draft)} onLoad=${() => load(entry)} />`)}
        </ol>`
    }
  </section>`
}

function Outcome({ entry: { id, refusal, latencyMs } }) {
  if (refusal !== undefined) return html`<${Refusal} refusal=${refusal} />`
  return html`<${Notice} tone="good" title="Stored">as <code class="answered-id">${id}</code> after ${formatNumber(latencyMs)} ms<//>`
}

function nameStatus(status, refusal) {
  if (status !== 0) return status
  return refusal.sent ? 'no answer' : 'not sent'
}

function Sent({ entry, onResend, onLoad }) {
  const { number, at, draft, status, refusal, latencyMs } = entry
  return html`<li>
    <div class="sent-head">
      <${Badge} tone=${refusal === undefined ? 'good' : 'bad'}>${nameStatus(status, refusal)}<//>
      <span class="hint">${formatClock(at)} · ${formatNumber(latencyMs)} ms</span>
      ${draft.private && html`<${Badge}>private<//>`}
      ${draft.type !== '' && html`<${Badge}>${draft.type}<//>`}
    </div>
    <code class="sent-topic">${draft.topics[0]}${draft.topics.length > 1 ? ` +${draft.topics.length - 1}` : ''}</code>
    <span class="sent-data">${draft.data.slice(0, 200)}</span>
    <div class="row">
      <button type="button" class="quiet" aria-label="Resend update ${number}" onClick=${onResend}>Resend</button>
      <button type="button" class="quiet" aria-label="Edit update ${number}" onClick=${onLoad}>Edit</button>
    </div>
  </li>`
}
