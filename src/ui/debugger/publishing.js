import { hubUrl } from './address.js'
import { credentials } from './identity.js'
import { ask } from './request.js'
import { createStore } from './store.js'

const maxHistory = 50

/** What was sent from this page, newest first. */
export const history = createStore([])
let sent = 0

/** The topics of updates published from this page, by id: an event stream does not tell them. */
export const topicsOfUpdate = id => history.value.find(entry => entry.id === id)?.draft.topics

/**
 * The form fields of an update; empty ones are left out.
 * @param {{topics: string[], data: string, private: boolean, id: string, type: string, retry: string}} draft
 * @returns {[name: string, value: string][]}
 */
export const fieldsOf = draft => [
  ...draft.topics.map(topic => ['topic', topic]),
  ...(draft.data === '' ? [] : [['data', draft.data]]),
  ...(draft.private ? [['private', 'on']] : []),
  ...['id', 'type', 'retry'].flatMap(name => (draft[name] === '' ? [] : [[name, draft[name]]])),
]

/** Publishes, and keeps the outcome. */
export async function publish(draft) {
  const startedAt = performance.now()
  const at = Date.now()
  const answer = await ask(hubUrl, { ...credentials(), method: 'POST', body: new URLSearchParams(fieldsOf(draft)) })
  const latencyMs = performance.now() - startedAt
  const outcome = answer.ok ? { id: answer.text } : { refusal: answer.refusal }
  const entry = { number: ++sent, at, draft, latencyMs, status: answer.status, ...outcome }
  history.set([entry, ...history.value].slice(0, maxHistory))
  return entry
}
