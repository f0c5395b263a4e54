import { readFile } from 'node:fs/promises'
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  ServerResponse,
} from 'node:http'
import { createSecureServer, Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { finished } from 'node:stream'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { HubError } from '../errors.ts'
import { refuseLate, refuseUnread, type UnreadObserver } from './unread-request.ts'

export interface ServerOptions {
  readonly listener: (
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
  ) => Promise<void> | void
  /** The key of the configuration that says where to listen, for messages. */
  readonly setting: string
  /** Empty: all addresses. */
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  /** PEM files: HTTPS with HTTP/2, and HTTP/1.1 or 1.0 for clients without it. `null`: plain HTTP/1.1. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | null
  /** A request with its body must be complete within this time, in milliseconds; 0: no bound. */
  readonly readTimeoutMs: number
  /** Its head within this one. */
  readonly readHeaderTimeoutMs: number
  /** Is told of requests that never come to the listener. */
  readonly observer: UnreadObserver
  /** Called with errors of a server that listens: it goes on, though connections may be refused (no more file descriptors). */
  readonly failed: (error: Error) => void
}

export interface HubServer {
  /** Where it listens: `http://127.0.0.1:3000`. */
  readonly url: string
  /** From now on a connection ends with its next answer, and its client looks for another hub. New ones are taken still. */
  drain(): void
  /** Stops listening, ends idle connections, and waits until the others have ended, at most `graceMs`. */
  close(graceMs: number): Promise<void>
}

/** Node looks only so often which requests have taken too long (its default is 30 s, many times the limits themselves). */
const checkIntervalMs = 500
/** While closing, connections whose answer has left are looked for this often. */
const closingIntervalMs = 50
/** Before nobody listens, so many turns of the event loop may each bring a connection. */
const acceptingTurns = 500
/** While closing, how long a new connection has until its first request. */
const firstRequestMs = 100
/** While closing, how long the other side of an ended connection has to end it, too. */
const lingerMs = 1000
/** Longer than proxies and load balancers keep idle connections (60 s): the one in front must be the one that closes. */
const keepAliveMs = 75_000
/** Room for a token of 64 KiB, or 1,000 topics in a URL; Node's default is 16 KiB. */
const maxHeadBytes = 256 * 1024
/** A session of HTTP/2 in which nothing has happened for so long takes no new streams, and ends with its last one. */
const idleSessionMs = 60_000
/** The best first. Who offers none of these is refused, and who offers nothing has HTTP/1.1. */
const alpnProtocols: readonly string[] = ['h2', 'http/1.1', 'http/1.0']

/** @throws HubError `configuration_invalid` where the address or the certificate cannot be used */
export async function openServer(options: ServerOptions): Promise<HubServer> {
  const server = await createServer(options)
  const sockets = new Set<Socket>()
  const keep = (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  }
  // With TLS both happen: its socket is another one, on top of the connection's.
  server.on('connection', keep).on('secureConnection', keep)
  let isDraining = false
  server.prependListener('request', (_request, response) => {
    if (isDraining) endWithAnswer(response)
  })
  server.on('clientError', (error, socket) => refuseUnread(error, socket as Socket, maxHeadBytes, options.observer))
  await listen(server, options)
  server.on('error', options.failed)
  const { address, port } = server.address() as AddressInfo
  const host = options.host === '' ? address : options.host
  return {
    url: `${options.tls === null ? 'http' : 'https'}://${bracket(host)}:${port}`,
    drain() {
      isDraining = true
    },
    close: graceMs => closeServer(server, sockets, graceMs),
  }
}

async function createServer(given: ServerOptions): Promise<Server> {
  const { listener, tls, readTimeoutMs, readHeaderTimeoutMs, observer } = given
  const options = {
    requestTimeout: readTimeoutMs,
    // Node wants the part to be no longer than the whole.
    headersTimeout: readTimeoutMs === 0 ? readHeaderTimeoutMs : Math.min(readHeaderTimeoutMs, readTimeoutMs),
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: checkIntervalMs,
    maxHeaderSize: maxHeadBytes,
    noDelay: true,
    // Two Authorization headers must be seen as two, and refused.
    joinDuplicateHeaders: false,
  }
  if (tls === null) return createHttpServer(options, listener as RequestListener)
  const [cert, key] = await Promise.all([readPem(tls.certFile, 'cert_file'), readPem(tls.keyFile, 'key_file')])
  try {
    const server = createSecureServer({
      ...options,
      cert,
      key,
      allowHTTP1: true,
      ALPNCallback: ({ protocols }) => alpnProtocols.find(protocol => protocols.includes(protocol)),
      settings: { maxHeaderListSize: maxHeadBytes },
      ...(readHeaderTimeoutMs === 0 ? {} : { handshakeTimeout: readHeaderTimeoutMs }),
    })
    // What Node does not know by name it would not answer, though its HTTP/1.1 is 1.0 too.
    server.prependListener('secureConnection', socket => {
      if (socket.alpnProtocol === 'http/1.0') socket.alpnProtocol = 'http/1.1'
    })
    server.on('session', (session: ServerHttp2Session) => session.setTimeout(idleSessionMs, () => session.close()))
    server.on('request', (request, response) => {
      if (request instanceof Http2ServerRequest) limitBody(request, readTimeoutMs, observer)
      return listener(request, response)
    })
    return server as unknown as Server
  } catch (cause) {
    throw new HubError(
      'configuration_invalid',
      `cert_file, key_file: not a certificate with its key: ${textOf(cause)}`,
      { cause },
    )
  }
}

/** What `requestTimeout` is to HTTP/1.1. */
function limitBody({ stream }: Http2ServerRequest, readTimeoutMs: number, observer: UnreadObserver): void {
  if (readTimeoutMs === 0 || stream.endAfterHeaders) return
  const timer = setTimeout(() => refuseLate(stream, observer), readTimeoutMs)
  const stop = () => clearTimeout(timer)
  stream.once('end', stop).once('close', stop)
}

async function readPem(file: string, option: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (cause) {
    throw new HubError('configuration_invalid', `${option}: ${file} cannot be read: ${textOf(cause)}`, { cause })
  }
}

const listenFailures: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there',
  EACCES: 'not permitted (ports below 1024 need a privilege)',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'this name has no address',
}

function listen(server: Server, { setting, host, port }: ServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException) => {
      const where = `${bracket(host)}:${port}`
      const reason = listenFailures[cause.code ?? ''] ?? cause.message
      reject(new HubError('configuration_invalid', `${setting}: cannot listen on ${where}: ${reason}.`, { cause }))
    }
    server.once('error', fail)
    server.listen({ port, ...(host === '' ? {} : { host }), backlog: 4096 }, () => {
      server.off('error', fail)
      resolve()
    })
  })
}

/** The connection takes no other request. */
function endWithAnswer(response: ServerResponse | Http2ServerResponse): void {
  if (response instanceof ServerResponse) response.shouldKeepAlive = false
  else response.stream.session?.close()
}

const bracket = (host: string): string => (host.includes(':') ? `[${host}]` : host)

async function closeServer(server: Server, sockets: ReadonlySet<Socket>, graceMs: number): Promise<void> {
  await acceptWaiting(server)
  const closed = stopListening(server)
  const cut = setTimeout(() => {
    for (const socket of sockets) socket.destroy()
  }, graceMs)
  for (const socket of sockets) {
    // Node ends a session of HTTP/2 and then waits until the other side has ended it, too.
    finished(socket, { readable: false }, () => setTimeout(() => socket.destroy(), lingerMs).unref())
  }
  // Browsers open connections in advance. One that was opened just now may have its first request on the way.
  if ([...sockets].some(isUnused)) {
    await Promise.race([closed, delay(firstRequestMs)])
    // What has arrived meanwhile is read.
    await nextTurn()
  }
  const endIdle = () => {
    // Those that are busy now are idle when their answer has left, which Node does not look for by itself.
    // It takes them for idle as soon as their answer is ended, though, with bytes of it left.
    if ([...sockets].every(socket => socket.writableLength === 0)) server.closeIdleConnections()
  }
  for (const socket of sockets) if (isUnused(socket)) socket.destroy()
  endIdle()
  const again = setInterval(endIdle, closingIntervalMs)
  await closed
  clearTimeout(cut)
  clearInterval(again)
}

/** Those who have connected and wait to be accepted, of whom a turn takes one, would be reset when nobody listens any more. */
async function acceptWaiting(server: Server): Promise<void> {
  let quietTurns = 0
  const note = () => {
    quietTurns = 0
  }
  server.on('connection', note)
  // The first may end before the turn in which connections are looked for.
  for (let turn = 0; turn < acceptingTurns && quietTurns < 3; turn++) {
    quietTurns++
    await nextTurn()
  }
  server.off('connection', note)
}

/** Resolves when the last connection has ended. Node would end unused ones at once. */
function stopListening(server: Server): Promise<void> {
  const { closeIdleConnections } = server
  server.closeIdleConnections = () => {}
  const closed = new Promise<void>(resolve => {
    server.close(() => resolve())
  })
  server.closeIdleConnections = closeIdleConnections
  return closed
}

const isUnused = ({ bytesRead }: Socket): boolean => bytesRead === 0

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
