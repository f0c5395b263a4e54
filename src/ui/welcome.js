const topic = 'https://example.com/greetings'
const hub = new URL('/.well-known/mercure', location.origin)
const element = id => document.getElementById(id)

// Publishes anywhere, on hubs with the well-known development key only: as secret as that key.
const token = 'eyJhbGciOiJIUzI1NiJ9.eyJtZXJjdXJlIjp7InB1Ymxpc2giOlsiKiJdfX0.PXwpfIGng6KObfZlcOXvcnWCJOWTFLtswGI5DZuWSK4'

element('curl').textContent =
  `curl -d 'topic=${topic}' -d 'data=Hello' \\\n  -H 'Authorization: Bearer ${token}' \\\n  ${hub}`

const subscription = new URL(hub)
subscription.searchParams.set('topic', topic)
const events = new EventSource(subscription)
events.onopen = () => showState('subscribed')
events.onerror = () => showState(events.readyState === EventSource.CLOSED ? 'refused' : 'reconnecting')
events.onmessage = showUpdate

element('publish').addEventListener('submit', async event => {
  event.preventDefault()
  const body = new URLSearchParams({ topic, data: element('data').value })
  element('problem').textContent = await publish(body).catch(error => error.message)
})

/** What went wrong; empty: nothing. */
async function publish(body) {
  const response = await fetch(hub, { method: 'POST', body, headers: { Authorization: `Bearer ${token}` } })
  return response.ok ? '' : await response.text()
}

function showState(state) {
  element('state').textContent = state
  element('state').dataset.state = state
}

function showUpdate({ data, lastEventId }) {
  const item = document.createElement('li')
  const text = document.createElement('span')
  const time = document.createElement('time')
  item.title = lastEventId
  text.textContent = data
  time.textContent = new Date().toLocaleTimeString()
  item.append(text, time)
  const updates = element('updates')
  updates.prepend(item)
  while (updates.childElementCount > 100) updates.lastChild.remove()
}
