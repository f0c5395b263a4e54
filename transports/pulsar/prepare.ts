import type { HubError } from '../../src/errors.ts'
import type { TransportLog } from '../../src/transport.ts'
import { Failure } from '../backend/failure.ts'
import { misconfigured } from '../backend/refusals.ts'
import { type Admin, type Retention, retentionCommand } from './admin.ts'
import { formatTopic, type Topic } from './client.ts'
import { type Location, type LogBounds, pulsar } from './location.ts'

/**
 * Makes the topic where it is not there: Pulsar would make it by itself when it is first used, perhaps with partitions.
 * @throws HubError `configuration_invalid` for a topic that cannot be a log
 */
export async function makeTopic(admin: Admin | undefined, topic: Topic): Promise<void> {
  try {
    const partitions = await admin?.partitions()
    if (partitions === undefined) await admin?.create()
    else if (partitions > 0) throw partitioned(topic, partitions)
  } catch (error) {
    // What this hub may not do is done by the first use of the topic, or that tells better why not.
    if (!(error instanceof Failure)) throw error
  }
}

/**
 * Has the topic keep what it gets, which Pulsar does not of itself; says what to run where this hub cannot. Gives whether it is seen to: `set` where
 * that was to be done now.
 */
export async function keepTopic(
  admin: Admin | undefined,
  { topic, bounds }: Pick<Location, 'topic' | 'bounds'>,
  log: Pick<TransportLog, 'warn'>,
): Promise<'kept' | 'set' | undefined> {
  const wanted = toRetention(bounds)
  const command = retentionCommand(topic, wanted)
  if (admin === undefined) {
    log.warn(
      {},
      `Pulsar forgets what it gets unless it is told otherwise, which this hub can do with admin_url=…; or run: ${command}`,
    )
    return undefined
  }
  try {
    const present = await admin.retention()
    if (isKept(present) && !differs(bounds, present, wanted)) return 'kept'
    await admin.retain(wanted)
    return 'set'
  } catch (error) {
    const reason = Failure.of(error).message
    log.warn(
      { reason },
      `Pulsar forgets what it gets unless it is told otherwise, which this hub cannot do (${reason}); run: ${command}`,
    )
    return undefined
  }
}

const isKept = (present: Retention | undefined): present is Retention =>
  present !== undefined && present.retentionTimeInMinutes !== 0 && present.retentionSizeInMB !== 0

/** Bounds of the URL are to hold; without any, those that an operator has set do. */
function differs({ ageMs, bytes }: LogBounds, present: Retention, wanted: Retention): boolean {
  if (ageMs === undefined && bytes === undefined) return false
  return (
    present.retentionTimeInMinutes !== wanted.retentionTimeInMinutes ||
    present.retentionSizeInMB !== wanted.retentionSizeInMB
  )
}

function toRetention({ ageMs = 0, bytes = 0 }: LogBounds): Retention {
  return {
    retentionTimeInMinutes: ageMs === 0 ? -1 : Math.ceil(ageMs / 60_000),
    retentionSizeInMB: bytes === 0 ? -1 : Math.ceil(bytes / (1 << 20)),
  }
}

export const partitioned = (topic: Topic, partitions?: number): HubError =>
  misconfigured(
    pulsar,
    `${formatTopic(topic)} has ${partitions === undefined ? '' : `${partitions} `}partitions, and with them no order; name another topic, or make one without: pulsar-admin topics create NAME`,
  )
