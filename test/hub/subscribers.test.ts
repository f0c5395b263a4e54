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

test('a topic that many patterns nearly match is asked about once, and again only for patterns that came since', () => {
  const index = new Subscribers()
  const asked: string[] = []
  const addCounting = (pattern: string) => {
    const [matcher] = topicMatchers(pattern)
    const matches = (topic: string) => {
      asked.push(pattern)
      return matcher!.matches(topic)
    }
    const sink = new Collector()
    const matchers = [{ ...matcher!, matches }]
    const one = new Subscriber({ id: pattern, matchers, grant: null, sink, maxQueueBytes: 1 })
    index.add(one)
    return one
  }
  const count = (topic: string) => {
    asked.length = 0
    let found = 0
    index.match(createTestUpdate({ id: 'x', topics: [topic] }), () => found++)
    return [found, asked.length]
  }
  const first = addCounting('a/{id}')
  for (let n = 0; n < 30; n++) addCounting(`a/{id}b{x${n}}c`)
  assert.deepEqual(count('a/b'), [1, 31])
  assert.deepEqual(count('a/b'), [1, 0])
  addCounting('{x}/b')
  assert.deepEqual(count('a/b'), [2, 1])
  assert.deepEqual(count('a/b'), [2, 0])
  assert.deepEqual(count('b/b'), [1, 1])
  index.remove(first)
  assert.deepEqual(count('a/b'), [1, 0])
  index.add(first)
  assert.deepEqual(count('a/b'), [2, 1])
})

test('patterns whose literals a topic has not are not asked', () => {
  const index = new Subscribers()
  const matches = () => assert.fail('asked')
  for (let n = 0; n < 100; n++) {
    const [matcher] = topicMatchers(`https://example.com/users/${n}/{id}`)
    const matchers = [{ ...matcher!, matches }]
    index.add(new Subscriber({ id: `${n}`, matchers, grant: null, sink: new Collector(), maxQueueBytes: 1 }))
  }
  index.match(createTestUpdate({ id: 'x', topics: ['https://example.com/users/100/1'] }), () => assert.fail('found'))
})
