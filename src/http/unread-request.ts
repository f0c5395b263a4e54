import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { HubError } from '../errors.ts'
import { describeRefusal, type RefusalObserver } from './problem.ts'
import { textHeaders } from './request.ts'

export type UnreadObserver = Pick<RefusalObserver, 'log' | 'refused'>

/** What Node's parser says of a request that it gives up. */
interface ParserError extends Error {
  readonly code?: string
  /** What is wrong, in its own words; nothing of what the client sent. */
  readonly reason?: string
}

/** Answers on a connection whose request Node's parser could not read, and closes it: Node's own answer has no body. */
export function refuseUnread(error: ParserError, socket: Socket, maxHeadBytes: number, observer: UnreadObserver): void {
  // Bytes in the midst of an answer would be taken for a part of it.
  if (socket.writable && !isAnswering(socket)) {
    const refusal = refusalOf(error, maxHeadBytes)
    // A browser connects in advance: what never sent anything asked for nothing.
    const { status, text } = socket.bytesRead === 0 ? describe(refusal) : tell(refusal, observer)
    const headers = { ...textHeaders, 'Content-Length': Buffer.byteLength(text), Connection: 'close' }
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
    socket.write([`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', text].join('\r\n'))
  }
  socket.destroy(error)
}

/** The same over HTTP/2, of a request whose body does not come; the session goes on. */
export function refuseLate(stream: ServerHttp2Stream, observer: UnreadObserver): void {
  if (!stream.headersSent) {
    const { status, text } = tell(late(), observer)
    stream.respond({ ':status': status, ...textHeaders })
    stream.end(text)
  }
  stream.close()
}

/** Node keeps the answer that is under way on its connection, and looks there itself before it writes. */
function isAnswering(socket: Socket): boolean {
  const { _httpMessage: response } = socket as { readonly _httpMessage?: ServerResponse | null }
  return response?.headersSent === true
}

function refusalOf({ code, reason, message }: ParserError, maxHeadBytes: number): HubError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return late()
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new HubError('head_too_large', `The request's head is longer than ${maxHeadBytes / 1024} KiB.`, {
      mend: 'Many topics go into the body of a QUERY.',
    })
  }
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') {
    return new HubError('body_too_large', 'The extensions of the chunks are too long.')
  }
  return new HubError('request_malformed', `What came is no HTTP request: ${reason ?? message}.`)
}

const late = (): HubError =>
  new HubError('request_timeout', 'The request was not complete in time: see read_header_timeout and read_timeout.')

function tell(refusal: HubError, { log, refused }: UnreadObserver): { status: number; text: string } {
  const { code, message } = refusal
  const described = describe(refusal)
  log.info({ code, status: described.status, reason: message }, 'request refused')
  refused(code)
  return described
}

const describe = (refusal: HubError): { status: number; text: string } => ({
  status: describeRefusal(refusal, '').status,
  text: `${refusal.code}: ${refusal.message}\n`,
})
