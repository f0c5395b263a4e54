import { after, before, describe, test } from 'node:test'
import type { BackendServer, TestBackend } from '../support/backends.ts'
import { TestCluster } from '../support/cluster.ts'
import { comeAndGoMeanwhile } from './scenarios/absence.ts'
import { nodesDie } from './scenarios/node-death.ts'
import { oneOrder } from './scenarios/order.ts'
import { Presence } from './scenarios/presence.ts'
import { revokeEverywhere, revokeMeanwhile } from './scenarios/revocation.ts'
import { impatience, survive, troubles } from './scenarios/trouble.ts'

/** What several hubs on one backend promise, each a process of its own. */
export function testCluster({ name, skipped, open }: TestBackend): void {
  describe(`a cluster on ${name}`, { skip: skipped }, async () => {
    if (skipped !== false) return
    const server = await open()
    after(() => server[Symbol.asyncDispose]())

    // What is about presence waits for beats and leases most of the time.
    describe('together', { concurrency: 3 }, () => {
      describe('who subscribes', { concurrency: 1 }, () => testPresence(server))
      describe('updates', { concurrency: 1 }, () => {
        test('20,000 updates from all nodes: each once, in one order for all', () => oneOrder(server))
        test('nodes are killed and started again: nothing is lost, nothing comes twice', () => nodesDie(server))
      })
      describe('what is revoked', { concurrency: 1 }, () => {
        test('streams end at all nodes, and the token is refused there, also by those that start later', () =>
          revokeEverywhere(server))
      })
      describe('what is missed', { concurrency: 1 }, () => {
        test('subscriptions come and go while the log is away: all is listed and announced when it is back', () =>
          comeAndGoMeanwhile(server))
        test('what is revoked while the log is away is known to all nodes when it is back', () =>
          revokeMeanwhile(server))
      })
    })
    describe('the backend is away', () => testTroubles(server))
  })
}

function testTroubles(server: BackendServer): void {
  let cluster: TestCluster
  before(async () => {
    cluster = await TestCluster.start(server.url('trouble', { relayed: true }), impatience)
  })
  after(() => cluster[Symbol.asyncDispose]())
  for (const trouble of troubles) test(trouble.name, () => survive(server, cluster, trouble))
}

function testPresence(server: BackendServer): void {
  let cluster: TestCluster
  let presence: Presence
  before(async () => {
    cluster = await TestCluster.start(server.url('presence'))
    presence = new Presence(cluster)
  })
  after(() => cluster[Symbol.asyncDispose]())
  test('1,000 subscriptions come and go: every node lists who is there, and says once what changes', () =>
    presence.comeAndGo())
  test('10,000 subscriptions at one node hold up nothing', () => presence.crowd())
  test('the node of 10,000 subscriptions dies and comes back: the others say once that they have ended', () =>
    presence.death())
  test('all nodes die and come back: no subscription is listed that is not there', () => presence.endOfAll())
}
