import type { TransportLog } from '../../src/transport.ts'
import { misconfigured } from '../backend/refusals.ts'
import { answered, type Connection, type Library } from './broker.ts'
import { interpret } from './failure.ts'
import { kafka, type Location, messageTopic } from './location.ts'
import type { Partition } from './partition.ts'

/** A topic, and how it is made where it is not there. */
export interface WantedTopic {
  readonly name: string
  /** It is not made. */
  readonly mustExist?: boolean
  /** -1: as the brokers do by default. */
  readonly replication: number
  /** What is not as the brokers have it by default. */
  readonly settings: Readonly<Record<string, number | string>>
}

/** An update has 1 MiB at most by default, and a hub can be told to take more. */
const maxRecordBytes = 16 << 20
const createMs = 10_000
const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs

/** Whole segments leave a topic: so many of them make up what it keeps. */
const segments = 8
const segmentBounds = { bytes: [1 << 20, 1 << 30], ageMs: [minuteMs, 7 * dayMs] } as const

export function logTopic({ topic, replication, bounds: { ageMs, bytes } }: Location): WantedTopic {
  const age =
    ageMs === undefined
      ? {}
      : ageMs === 0
        ? { 'retention.ms': -1 }
        : { 'retention.ms': ageMs, 'segment.ms': within(segmentBounds.ageMs, ageMs / segments) }
  const size =
    bytes === undefined
      ? {}
      : bytes === 0
        ? { 'retention.bytes': -1 }
        : { 'retention.bytes': bytes, 'segment.bytes': within(segmentBounds.bytes, bytes / segments) }
  const settings = { 'cleanup.policy': 'delete', 'max.message.bytes': maxRecordBytes, ...age, ...size }
  return { name: topic, replication, settings }
}

/** What nodes tell each other is of no use a moment later. */
export const presenceTopic = ({ topic, replication }: Location): WantedTopic => ({
  name: messageTopic(topic),
  replication,
  settings: {
    'cleanup.policy': 'delete',
    'retention.ms': 5 * minuteMs,
    'segment.ms': 10 * minuteMs,
    'segment.bytes': 16 << 20,
    'max.message.bytes': maxRecordBytes,
  },
})

const within = ([least, most]: readonly [number, number], value: number): number =>
  Math.floor(Math.min(most, Math.max(least, value)))

/** Another node may be faster. @throws Failure */
export async function createTopic(
  library: Library,
  controller: Connection,
  { name, replication, settings }: WantedTopic,
): Promise<void> {
  const configs = Object.entries(settings).map(([key, value]) => ({ name: key, value: String(value) }))
  const topic = { name, numPartitions: 1, replicationFactor: replication, assignments: [], configs }
  try {
    await answered(controller, library.createTopicsV5.api.async(controller, [topic], createMs, false), 2 * createMs)
  } catch (error) {
    const failure = interpret(error)
    if (failure.code === 'TOPIC_ALREADY_EXISTS') return
    if (failure.code !== 'TOPIC_AUTHORIZATION_FAILED') throw failure
    throw misconfigured(
      kafka,
      `there is no topic ${name}, and the user may not create it; grant Create, or create TOPIC and TOPIC.presence yourself, each with one partition`,
    )
  }
}

/** What a topic is like, as far as the user may know. */
export interface TopicFacts {
  /** The largest batch that it takes. */
  readonly maxBatchBytes: number
}

const byDefault: TopicFacts = { maxBatchBytes: 1 << 20 }

/** @throws HubError `configuration_invalid` for a topic that cannot be a log; Failure */
export async function inspectTopic(
  session: Partition,
  { name, settings }: WantedTopic,
  log: TransportLog,
): Promise<TopicFacts> {
  const actual = await session.describe(['cleanup.policy', 'max.message.bytes', 'retention.ms', 'retention.bytes'])
  if (actual === undefined) return byDefault
  const policy = actual.get('cleanup.policy') ?? 'delete'
  if (policy.includes('compact')) {
    throw misconfigured(
      kafka,
      `the topic ${name} has cleanup.policy=${policy}, which drops updates from the middle of the log; set it to delete, or name another topic`,
    )
  }
  for (const key of ['retention.ms', 'retention.bytes']) {
    const [wanted, is] = [settings[key], actual.get(key)]
    if (wanted === undefined || is === undefined || String(wanted) === is) continue
    log.warn(
      { topic: name, setting: key, wanted, is },
      'The topic was made with another bound than this hub is told of, and keeps to that: change it with kafka-configs.',
    )
  }
  return { maxBatchBytes: Number(actual.get('max.message.bytes') ?? byDefault.maxBatchBytes) }
}
