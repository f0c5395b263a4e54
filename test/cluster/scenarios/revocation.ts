import assert from 'node:assert/strict'
import type { BackendServer } from '../../support/backends.ts'
import { type ClusterHub, TestCluster } from '../../support/cluster.ts'
import type { EventStream } from '../../support/event-stream.ts'
import { bearer, subscriptionsPath } from '../../support/subscriptions.ts'
import { signToken } from '../../support/token.ts'

const secret = 'a-secret-for-operators-of-tests-alone'
const topic = 'https://example.com/revoked'
const lines = `admin_addr: 127.0.0.1:0\nadmin_secret: ${secret}`

const tokenOf = (claims: object) => signToken({ mercure: { subscribe: ['*'] }, ...claims })

interface Outcome {
  readonly revoked: { readonly id: string }
  readonly streams_closed: number
  readonly nodes: number
  readonly nodes_silent: number
  readonly warning?: string
}

async function revoke({ adminUrl }: ClusterHub, body: object): Promise<Outcome> {
  const headers = { ...bearer(secret), 'Content-Type': 'application/json' }
  const response = await fetch(`${adminUrl}/revocations`, { method: 'POST', headers, body: JSON.stringify(body) })
  const text = await response.text()
  assert.ok(response.ok, text)
  const outcome: Outcome = JSON.parse(text)
  assert.equal(response.status, outcome.warning === undefined ? 200 : 202)
  return outcome
}

async function list({ adminUrl }: ClusterHub): Promise<readonly { readonly id: string }[]> {
  const response = await fetch(`${adminUrl}/revocations`, { headers: bearer(secret) })
  return ((await response.json()) as { revocations: { id: string }[] }).revocations
}

const subscribeAt = (hubs: readonly ClusterHub[], token: string): Promise<EventStream[]> =>
  Promise.all(hubs.map(hub => hub.subscribe(`topic=${encodeURIComponent(topic)}`, token)))

async function assertRefused(hubs: readonly ClusterHub[], token: string): Promise<void> {
  for (const hub of hubs) {
    const { status, text } = await hub.get(subscriptionsPath, token)
    assert.equal(status, 401)
    assert.match(text, /^token_revoked: /)
  }
}

async function assertAccepted(hubs: readonly ClusterHub[], token: string): Promise<void> {
  for (const hub of hubs) {
    const { status, text } = await hub.get(subscriptionsPath, token)
    assert.equal(status, 200, text)
  }
}

/** Until this node has heard of the others: before, it cannot say that they have all answered. */
async function revokeAtAll(hub: ClusterHub, body: object, nodes: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  do outcomes.push(await revoke(hub, body))
  while (outcomes.at(-1)!.nodes < nodes)
  return outcomes
}

const closedBy = (outcomes: readonly Outcome[]): number => outcomes.reduce((sum, one) => sum + one.streams_closed, 0)

/** What one node is told to revoke is revoked at all of them, those that start later included. */
export async function revokeEverywhere(server: BackendServer): Promise<void> {
  await using cluster = await TestCluster.start(server.url('revocation'), lines)
  const { hubs } = cluster
  const [one, two, three] = hubs
  const [ada, bob] = [await tokenOf({ sub: 'ada' }), await tokenOf({ sub: 'bob' })]
  const [adas, bobs] = [await subscribeAt(hubs, ada), await subscribeAt(hubs, bob)]

  const outcomes = await revokeAtAll(two, { subject: 'ada' }, hubs.length)
  assert.equal(closedBy(outcomes), adas.length)
  assert.equal(outcomes.at(-1)!.nodes_silent, 0)
  await Promise.all(adas.map(stream => stream.end()))
  await assertRefused(hubs, ada)
  await assertAccepted(hubs, bob)
  await one.publish({ topic, data: 'for bob' })
  for (const stream of bobs) assert.equal((await stream.take())[0]!.data, 'for bob')

  // A node that was not there learns it before anybody can ask it anything.
  await three.kill()
  await three.start()
  await assertRefused([three], ada)
  await assertAccepted([three], bob)
  assert.deepEqual(await list(three), await list(one))

  // By a subscription that another node has: the token of its subscriber is revoked, wherever it is used, and no other.
  const [carol, dave] = [await tokenOf({ sub: 'c', mercure: granting('carol') }), await tokenOf({ sub: 'c' })]
  const [carols, daves] = [await subscribeAt([two, three], carol), await subscribeAt(hubs, dave)]
  const subscription = await idOf(one, bob, 'carol')
  const { streams_closed: closed, nodes } = await revoke(one, { subscription })
  assert.deepEqual([closed, nodes], [carols.length, hubs.length])
  await Promise.all(carols.map(stream => stream.end()))
  await assertRefused(hubs, carol)
  await assertAccepted(hubs, dave)

  // And taken back.
  for (const { id } of await list(two)) await takeBack(two, id)
  for (const token of [ada, carol]) await assertAccepted(hubs, token)
  for (const hub of hubs) assert.deepEqual(await list(hub), [])
  for (const stream of [...bobs, ...daves]) stream.close()
}

/** The others cannot be told while the log is away: that is said, and they learn it when it is back. */
export async function revokeMeanwhile(server: BackendServer): Promise<void> {
  const url = server.url('revoked-meanwhile', { relayed: true })
  await using cluster = await TestCluster.start(url, lines)
  const { hubs } = cluster
  const [one, ...others] = hubs
  const token = await tokenOf({ sub: 'ada' })
  const streams = await subscribeAt(hubs, token)
  await revokeAtAll(one, { subject: 'somebody else' }, hubs.length)

  server.relay.refuses = true
  server.relay.cut()
  await Promise.all(hubs.map(hub => hub.isReady(false)))
  const { nodes, nodes_silent: silent, streams_closed: closed, warning } = await revoke(one, { subject: 'ada' })
  assert.deepEqual([nodes, silent, closed], [1, others.length, 1])
  assert.match(warning ?? '', /The log is away: other nodes could not be told/)
  await assertRefused([one], token)
  server.relay.refuses = false

  await Promise.all(streams.map(stream => stream.end()))
  await assertRefused(hubs, token)
  assert.equal((await revokeAtAll(one, { subject: 'ada' }, hubs.length)).at(-1)!.warning, undefined)
}

const granting = (payload: string) => ({ subscribe: ['*'], payload })

/** The id of the first subscription whose subscriber's token has this payload, when the node lists one. */
async function idOf(hub: ClusterHub, token: string, payload: string): Promise<string> {
  for (;;) {
    const { text } = await hub.get(`${subscriptionsPath}/${encodeURIComponent(topic)}`, token)
    const { subscriptions } = JSON.parse(text) as { subscriptions: { id: string; payload?: string }[] }
    const found = subscriptions.find(subscription => subscription.payload === payload)
    if (found !== undefined) return found.id
  }
}

async function takeBack({ adminUrl }: ClusterHub, id: string): Promise<void> {
  const response = await fetch(`${adminUrl}/revocations/${id}`, { method: 'DELETE', headers: bearer(secret) })
  assert.equal(response.status, 204, await response.text())
}
