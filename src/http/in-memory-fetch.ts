import { createServer, type IncomingMessage, type RequestListener, request as send } from 'node:http'
import { duplexPair, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'

/**
 * A listener of Node's servers as a function of Requests: each goes through a connection in memory, so that what comes back is what
 * a client on the network would get, streams with their pace included.
 */
export function createInMemoryFetch(listener: RequestListener): (request: Request) => Promise<Response> {
  // It listens nowhere. How long requests may take is for the server in front to say.
  const server = createServer({ requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0, maxHeaderSize }, listener)
  return request => {
    const url = new URL(request.url)
    const connection = connect(server, url.protocol === 'https:')
    const { promise, resolve, reject } = Promise.withResolvers<Response>()
    const outgoing = send({
      createConnection: () => connection,
      method: request.method,
      path: url.pathname + url.search,
      headers: headersOf(request, url),
      maxHeaderSize,
      signal: request.signal,
    })
    outgoing.on('response', answer => resolve(toResponse(answer, request.method)))
    outgoing.on('error', reject)
    if (request.body === null) outgoing.end()
    // A hub that has answered need not have read all of it.
    else pipeline(Readable.fromWeb(request.body as ReadableStream), outgoing).catch(reject)
    return promise
  }
}

const maxHeaderSize = 256 * 1024

/** What belongs to a connection, and not to the request. */
const ofConnection: ReadonlySet<string> = new Set(
  'connection content-length expect keep-alive proxy-connection te transfer-encoding upgrade'.split(' '),
)

function headersOf({ headers }: Request, url: URL): string[] {
  const own = [...headers].filter(([name]) => !ofConnection.has(name))
  return [...(headers.has('host') ? [] : [['host', url.host]]), ['connection', 'close'], ...own].flat()
}

/** The client's end of a new connection; both ends close together. */
function connect(server: ReturnType<typeof createServer>, isEncrypted: boolean) {
  const [client, served] = duplexPair()
  client.once('close', () => served.destroy())
  served.once('close', () => client.destroy())
  server.emit('connection', isEncrypted ? Object.assign(served, { encrypted: true }) : served)
  return client
}

function toResponse(answer: IncomingMessage, method: string): Response {
  const status = answer.statusCode ?? 500
  const headers = new Headers()
  const { rawHeaders } = answer
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = rawHeaders.slice(i, i + 2)
    if (name.toLowerCase() === 'content-length' || !ofConnection.has(name.toLowerCase())) headers.append(name, value)
  }
  if (method === 'HEAD' || status === 204 || status === 304) {
    answer.resume()
    return new Response(null, { status, headers })
  }
  return new Response(Readable.toWeb(answer) as unknown as ReadableStream<Uint8Array<ArrayBuffer>>, { status, headers })
}
