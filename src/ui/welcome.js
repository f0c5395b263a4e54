const topic = 'https://example.com/greetings'
const hub = new URL('/.well-known/mercure', location.origin)
const element = id => document.getElementById(id)

// Publishes anywhere, on hubs with the well-known development key only: as secret as that key.
const token = 'eyJhbGciOiJIUzI1NiJ9.eyJtZXJjdXJlIjp7InB1Ymxpc2giOlsiKiJdfX0.PXwpfIGng6KObfZlcOXvcnWCJOWTFLtswGI5DZuWSK4'

element('curl').textContent = `curl -d 'topic=${topic}' -d 'data=Hello' \\\n  -H 'Authorization: Bearer ${token}' \\\n  ${hub}`

const subscription = new URL(hub)
subscription.searchParams.set('topic', topic)
const events = new EventSource(subscription)
events.onopen = () => show('subscribed')
events.onerror = () => show(events.readyState === EventSource.CLOSED ? 'refused' : 'reconnecting')
events.onmessage = ({ data, lastEventId }) => {
  const item = document.createElement('li')
  item.title = lastEventId
  item.textContent = data
  element('updates').prepend(item)
  while (element('updates').childElementCount > 100) element('updates').lastChild.remove()
}

element('publish').addEventListener('submit', async event => {
  event.preventDefault()
  const body = new URLSearchParams({ topic, data: element('data').value })
  const response = await fetch(hub, { method: 'POST', body, headers: { Authorization: `Bearer ${token}` } })
  if (!response.ok) show(await response.text())
})

function show(state) {
  element('state').textContent = state
}
