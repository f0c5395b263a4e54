import assert from 'node:assert/strict'
import type { Generation } from '../../../src/protocol/generation.ts'
import { Attendance, type Visit } from '../../support/attendance.ts'
import type { BackendServer } from '../../support/backends.ts'
import { type ClusterHub, TestCluster } from '../../support/cluster.ts'

const generations: readonly Generation[] = ['0.x', '1.0']

/** Subscribers come and go while no node reaches the log: all nodes list them, and those who follow the events hear of them, when it is back. */
export async function comeAndGoMeanwhile(server: BackendServer): Promise<void> {
  const url = server.url('absence', { relayed: true })
  await using cluster = await TestCluster.start(url, 'publish_timeout: 2s')
  const { hubs } = cluster
  const attendance = new Attendance(cluster)
  for (const hub of hubs) await attendance.watch(hub)
  const arrive = async (when: string): Promise<Visit[]> => {
    const visits = []
    for (const [i, hub] of hubs.entries()) {
      for (const generation of generations) {
        const patterns = Array.from({ length: 10 }, (_, j) => `${when}-${i}-${generation}-${j}`)
        visits.push(await attendance.arrive(hub, generation, patterns))
      }
    }
    return visits
  }
  const leaving = await arrive('before')
  await arrive('long')
  await attendance.assertAnnounced()

  server.relay.refuses = true
  server.relay.cut()
  await Promise.all(hubs.map(hub => hub.isReady(false)))
  for (const visit of leaving) attendance.leave(visit)
  await arrive('meanwhile')
  // What was said of them before is refused by then, too.
  await Promise.all(hubs.map(hub => refuses(hub, 2)))
  server.relay.refuses = false
  await Promise.all(hubs.map(hub => hub.isReady(true)))

  await attendance.listed()
  await attendance.assertAnnounced({ repeated: true })
}

/** Publishes at a node, one update after the other, each of which is refused. */
async function refuses(hub: ClusterHub, updates: number): Promise<void> {
  for (let i = 0; i < updates; i++) {
    const { status, text } = await hub.publish({ topic: 'https://example.com/refused' })
    assert.equal(status, 503, text)
  }
}
