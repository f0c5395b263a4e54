import { debugUrl } from './address.js'
import { Choice, Field, Notice, Refusal } from './controls.js'
import { readLines } from './format.js'
import { html } from './html.js'
import { postJson } from './request.js'
import { useState } from './vendor/preact-hooks.js'

const actions = [
  ['publish', 'Publish to'],
  ['subscribe', 'Subscribe to'],
  ['subscriptions', 'Read the subscriptions'],
]

/** Asks the hub what it would answer, and why. */
export function WhyForm({ token }) {
  const [action, setAction] = useState('publish')
  const [topics, setTopics] = useState('https://example.com/books/1')
  const [answer, setAnswer] = useState()
  const [asked, setAsked] = useState()
  const submit = async event => {
    event.preventDefault()
    const question = { token, action, topics: action === 'subscriptions' ? [] : readLines(topics) }
    setAnswer(await postJson(debugUrl('explain'), question, { credentials: 'omit' }))
    setAsked(token)
  }
  const change = set => value => {
    set(value)
    setAnswer(undefined)
  }
  return html`<form class="card stack" aria-labelledby="why-title" onSubmit=${submit}>
      <p class="hint">What would the hub answer ${token === '' ? 'to a request without a token' : 'to this token'}, and which rule decides?</p>
      <${Choice} label="Action" value=${action} options=${actions} onChange=${change(setAction)} />
      ${
        action !== 'subscriptions' &&
        html`<${Field} label="Topics" rows="2" value=${topics} onInput=${change(setTopics)}
        hint=${action === 'publish' ? 'Of one update, one a line.' : 'Whose private updates are wanted, one a line.'} />`
      }
      <div class="row"><span class="grow" /><button type="submit" class="primary">Ask the hub</button></div>
    </form>
    ${answer?.refusal && html`<${Refusal} refusal=${answer.refusal} />`}
    ${answer?.ok && asked === token && html`<${Verdict} answer=${answer.json} />`}`
}

function Verdict({ answer: { action, verdict, checks, privateUpdates = [] } }) {
  const { accepted, status, code, message } = verdict[action]
  return html`<div class="card stack verdict" role="status" data-accepted=${accepted}>
    <${Notice} tone=${accepted ? 'good' : 'bad'} title=${accepted ? 'Accepted' : `Refused with ${status}`}>
      ${code !== null && html`<code>${code}</code> `}${message ?? 'The hub does what is asked.'}
    <//>
    <ol class="checks">
      ${checks.map(
        ({ check, ok, says, mend }) => html`<li key=${check} data-ok=${ok}>
        <strong>${check}</strong> <span class="unseen">${ok ? 'passes' : 'fails'}: </span>${says}
        ${mend !== null && mend !== undefined && html`<p class="mend">${mend}</p>`}
      </li>`,
      )}
    </ol>
    ${
      privateUpdates.length > 0 &&
      html`<h3>Private updates</h3>
      <ul class="checks">${privateUpdates.map(
        ({ topic, delivered }) => html`<li key=${topic} data-ok=${delivered}>
        <code>${topic}</code> ${delivered ? 'are delivered' : 'are kept back: no grant matches this topic'}
      </li>`,
      )}</ul>`
    }
  </div>`
}
