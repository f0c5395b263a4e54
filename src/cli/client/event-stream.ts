import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { HubError } from '../../errors.ts'
import type { RemoteHub } from './hub-options.ts'
import { connectionLost, request } from './request.ts'

/** Where a subscriber is in the log, over all of its streams. */
export interface Bookmark {
  /** `undefined`: it begins with what comes next. */
  lastEventId: string | undefined
  /** What the hub, or an update, asks to wait before connecting again. */
  retryMs: number
}

export interface OpenStream {
  /** False: the hub does not know the last event of the bookmark. */
  readonly isContinued: boolean
  readonly events: AsyncIterable<EventSourceMessage>
}

/** Characters of one event: what the longest string has room for, and more than a hub takes. */
const maxEventLength = 256 << 20

/**
 * Subscribes after the bookmark, which moves with every event that is taken. Reads at the pace of who takes them. Its events end
 * when the hub ends the stream, and throw when the connection breaks.
 * @throws Refusal, HubError `transport_unavailable`
 */
export async function openStream(
  hub: RemoteHub,
  query: URLSearchParams,
  bookmark: Bookmark,
  signal: AbortSignal,
): Promise<OpenStream> {
  const url = new URL(hub.url)
  for (const [name, value] of query) url.searchParams.append(name, value)
  const { lastEventId } = bookmark
  const headers = new Headers({ Accept: 'text/event-stream', 'Cache-Control': 'no-cache' })
  if (lastEventId !== undefined) headers.set('Last-Event-ID', asHeader(lastEventId))
  const response = await request({ ...hub, url }, { headers, signal })
  const { body } = response
  if (body === null || !/^text\/event-stream\b/i.test(response.headers.get('Content-Type') ?? '')) {
    await body?.cancel()
    throw new HubError('configuration_invalid', `${hub.url.href} answers with no event stream: is that a hub's URL?`)
  }
  const startsAfter = response.headers.get('Last-Event-ID')
  return {
    isContinued: lastEventId === undefined || startsAfter === null || startsAfter === asHeader(lastEventId),
    events: readEvents(hub.url, body, bookmark),
  }
}

async function* readEvents(
  url: URL,
  body: ReadableStream<Uint8Array>,
  bookmark: Bookmark,
): AsyncGenerator<EventSourceMessage> {
  const events: EventSourceMessage[] = []
  const decoder = new TextDecoder()
  const parser = createParser({
    maxBufferSize: maxEventLength,
    onEvent: event => events.push(event),
    onRetry: ms => {
      bookmark.retryMs = ms
    },
  })
  try {
    for await (const bytes of body) {
      parser.feed(decoder.decode(bytes, { stream: true }))
      for (const event of events.splice(0)) {
        // An empty id takes the last one back.
        if (event.id !== undefined) bookmark.lastEventId = event.id || undefined
        yield event
      }
    }
  } catch (error) {
    throw connectionLost('the connection broke', url, error)
  }
}

/** UTF-8, of which a header shows each byte as a character. */
const asHeader = (id: string): string => Buffer.from(id).toString('latin1')
