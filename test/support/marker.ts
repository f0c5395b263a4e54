import type { EventSourceMessage } from 'eventsource-parser'
import type { EventStream } from './event-stream.ts'
import type { TestHub } from './hub.ts'

/** A topic that streams subscribe to besides their own, so that a test sees what has *not* come. */
export const marker = 'https://example.com/marker'

/** What each stream has received up to an update that this publishes to `marker`. */
export async function receivedBy(hub: TestHub, ...streams: EventStream[]): Promise<EventSourceMessage[][]> {
  const last = await hub.publish({ topic: marker })
  return await Promise.all(
    streams.map(async stream => {
      const received: EventSourceMessage[] = []
      for (;;) {
        const [event] = await stream.take()
        if (event!.id === last) return received
        received.push(event!)
      }
    }),
  )
}

export async function dataReceivedBy(hub: TestHub, ...streams: EventStream[]): Promise<string[][]> {
  return (await receivedBy(hub, ...streams)).map(events => events.map(({ data }) => data))
}
