import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Subscriber } from '../../src/hub/subscriber.ts'
import { Subscribers } from '../../src/hub/subscribers.ts'
import { Collector } from '../support/collector.ts'
import { createTestUpdate, subscribeGrant, topicMatchers } from '../support/node.ts'
import { createRandom } from '../support/random.ts'

const subscriber = (topics: string[], granted?: string[]) =>
  new Subscriber({
    id: topics.join(' '),
    matchers: topicMatchers(...topics),
    grant: granted === undefined ? null : subscribeGrant(...granted),
    sink: new Collector(),
    maxQueueBytes: 1024,
  })

test('finds whom asking every subscriber would find, whoever comes and goes', () => {
  const random = createRandom(7)
  const patterns = ['*', 'a/1', 'a/2', 'b/1', 'a/{id}', '{any}/1', 'b/{id}', '{a}/{b}', 'c']
  const topics = ['a/1', 'a/2', 'a/3', 'b/1', 'b/2', 'c', 'd']
  const index = new Subscribers()
  const present = new Set<Subscriber>()
  const some = (from: string[]) => Array.from({ length: 1 + random.below(3) }, () => random.pick(from))
  for (let round = 0; round < 3000; round++) {
    if (present.size < 5 || random.next() < 0.5) {
      const added = subscriber(some(patterns), random.next() < 0.5 ? some(patterns) : undefined)
      present.add(added)
      index.add(added)
    } else {
      const removed = random.pick([...present])
      present.delete(removed)
      index.remove(removed)
    }
    const update = createTestUpdate({ id: 'x', topics: some(topics), private: random.next() < 0.3 })
    const found: Subscriber[] = []
    index.match(update, one => found.push(one))
    assert.equal(new Set(found).size, found.length, 'each is found once')
    assert.deepEqual(new Set(found), new Set([...present].filter(one => one.accepts(update))))
  }
})

test('asks a pattern once for a topic, and again only for patterns that came since', () => {
  const index = new Subscribers()
  const asked: string[] = []
  const [matcher] = topicMatchers('a/{id}')
  const counting = {
    ...matcher!,
    matches: (topic: string) => {
      asked.push(topic)
      return true
    },
  }
  const sink = new Collector()
  index.add(new Subscriber({ id: '1', matchers: [counting], grant: null, sink, maxQueueBytes: 1 }))
  const update = createTestUpdate({ id: 'x', topics: ['a/1'] })
  const count = () => {
    let found = 0
    index.match(update, () => found++)
    return found
  }
  assert.deepEqual([count(), count(), count()], [1, 1, 1])
  index.add(subscriber(['{x}/1']))
  assert.equal(count(), 2)
  assert.deepEqual(asked, ['a/1'])
})
