import { pathToFileURL } from 'node:url'
import { Subscriber } from '../../src/hub/subscriber.ts'
import { Subscribers } from '../../src/hub/subscribers.ts'
import { createMatcherCompiler, type MatcherKind } from '../../src/protocol/matcher.ts'
import { Collector } from '../support/collector.ts'
import { createTestUpdate } from '../support/node.ts'

// What it costs to find the subscribers of an update, beside a hub with one subscriber: the index alone, without a socket.

const site = 'https://example.com'
const compile = createMatcherCompiler({ base: `${site}/.well-known/mercure`, cacheSize: 1 })
const sink = new Collector()

type Pattern = readonly [kind: MatcherKind, pattern: string]

/** Each the pattern of one subscriber. */
const styles: Readonly<Record<string, (n: number) => Pattern>> = {
  'URL Patterns, own beginnings': n => ['urlpattern', `${site}/users/${n}/:id`],
  'URI Templates, own beginnings': n => ['topic', `${site}/users/${n}/{id}`],
  'URI Templates, own ends': n => ['topic', `${site}/{kind}/user-${n}`],
  'own only in the middle': n => ['topic', `${site}/{kind}/user-${n}/{id}`],
}

function createIndex(exact: number, patterns: readonly Pattern[]): Subscribers {
  const index = new Subscribers()
  const add = (...[kind, pattern]: Pattern) => {
    const matchers = [compile(kind, pattern)]
    index.add(new Subscriber({ id: pattern, matchers, grant: null, sink, maxQueueBytes: 1 }))
  }
  for (let n = 0; n < exact; n++) add('topic', `${site}/topics/${n}`)
  for (const pattern of patterns) add(...pattern)
  return index
}

/** Processor time of one update, in microseconds: the median of some runs. `topicOf` names the topic of the nth update of all runs. */
function measure(index: Subscribers, topicOf: (n: number) => string): number {
  const updates = 400
  let found = 0
  const runs = Array.from({ length: 5 }, (_, run) => {
    const topics = Array.from({ length: updates }, (_, n) => topicOf(run * updates + n))
    const created = topics.map((topic, n) => createTestUpdate({ id: `${n}`, topics: [topic] }))
    const before = process.cpuUsage()
    for (const update of created) index.match(update, () => found++)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / updates
  })
  return runs.sort((a, b) => a - b)[runs.length >> 1]!
}

/** Microseconds for each update: of one topic again and again, of topics that never came before, and of the one that a subscriber has. */
export function benchMatching(): Record<string, Record<string, string>> {
  const many = Array.from({ length: 10_000 }, (_, n) => n)
  const sizes: Record<string, Subscribers> = { '1 subscriber': createIndex(1, []) }
  for (const [name, patternOf] of Object.entries(styles)) {
    sizes[`100,000 topics, 10,000 ${name}`] = createIndex(100_000, many.map(patternOf))
  }
  const rows: Record<string, Record<string, string>> = {}
  let round = 0
  for (const [name, index] of Object.entries(sizes)) {
    round++
    rows[name] = {
      'same topic': measure(index, () => `${site}/other/1`).toFixed(3),
      'new topics': measure(index, n => `${site}/other/${round}/${n}`).toFixed(3),
      'one match': measure(index, () => `${site}/users/0/1`).toFixed(3),
    }
  }
  return rows
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) console.table(benchMatching())
