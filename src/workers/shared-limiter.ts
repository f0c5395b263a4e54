import {
  type Limiter,
  type Limits,
  limitsPublishes,
  limitsStreams,
  type NodeLimiter,
  type Release,
  type Sender,
} from '../limits/limiter.ts'
import type { Link } from './link.ts'

/** The primary process's side of the limits: it counts for all workers, and gives back what one had when that has ended. */
export function hostLimiter(link: Link, limiter: NodeLimiter): void {
  const streams = new Map<number, Release>()
  link.answer('admit-stream', payload => {
    const { stream, address, subject }: StreamRequest = JSON.parse(payload.toString())
    streams.set(stream, limiter.admitStream({ address, subject }))
    return undefined
  })
  link.on('stream-over', payload => {
    const stream = payload.readUInt32BE(0)
    streams.get(stream)?.()
    streams.delete(stream)
  })
  link.answer('admit-publish', payload => {
    const { subject, updates }: PublishRequest = JSON.parse(payload.toString())
    limiter.admitPublish(subject, updates)
    return undefined
  })
  link.closed.then(() => {
    for (const release of streams.values()) release()
    streams.clear()
  })
}

/** A worker gives its streams numbers. */
interface StreamRequest extends Sender {
  readonly stream: number
}

interface PublishRequest {
  readonly subject: string | undefined
  readonly updates: number
}

/** The worker's side: it asks before each stream, and before each publish. Only what is limited is asked for. */
export function connectLimiter(link: Link, limits: Limits): Limiter {
  let streams = 0
  return {
    async admitStream(sender) {
      if (!limitsStreams(limits)) return () => {}
      streams = (streams + 1) % 2 ** 32
      const request: StreamRequest = { stream: streams, ...sender }
      const number = Buffer.alloc(4)
      number.writeUInt32BE(streams)
      await link.ask('admit-stream', Buffer.from(JSON.stringify(request)))
      return () => link.send('stream-over', number)
    },
    async admitPublish(subject, updates = 1) {
      if (!limitsPublishes(limits)) return
      const request: PublishRequest = { subject, updates }
      await link.ask('admit-publish', Buffer.from(JSON.stringify(request)))
    },
  }
}
