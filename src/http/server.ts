import { readFile } from 'node:fs/promises'
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { HubError } from '../errors.ts'

export interface ServerOptions {
  readonly listener: (
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
  ) => Promise<void> | void
  /** Empty: all addresses. */
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  /** PEM files: HTTPS with HTTP/2, and HTTP/1.1 for clients without it. `null`: plain HTTP/1.1. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | null
  /** A request with its body must be complete within this time, in milliseconds; 0: no bound. */
  readonly readTimeoutMs: number
  /** Its head within this one. */
  readonly readHeaderTimeoutMs: number
}

export interface HubServer {
  /** Where it listens: `http://127.0.0.1:3000`. */
  readonly url: string
  /** Stops listening, ends idle connections, and waits until the others have ended, at most `graceMs`. */
  close(graceMs: number): Promise<void>
}

/** Node looks only so often which requests have taken too long (its default is 30 s, many times the limits themselves). */
const checkIntervalMs = 500

/** @throws HubError `configuration_invalid` where the address or the certificate cannot be used */
export async function openServer(options: ServerOptions): Promise<HubServer> {
  const server = await createServer(options)
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await listen(server, options)
  const { address, port } = server.address() as AddressInfo
  const host = options.host === '' ? address : options.host
  return {
    url: `${options.tls === null ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`,
    close: graceMs => closeServer(server, sockets, graceMs),
  }
}

async function createServer({ listener, tls, readTimeoutMs, readHeaderTimeoutMs }: ServerOptions): Promise<Server> {
  const timeouts = {
    requestTimeout: readTimeoutMs,
    headersTimeout: readHeaderTimeoutMs,
    connectionsCheckingInterval: checkIntervalMs,
    noDelay: true,
    // Two Authorization headers must be seen as two, and refused.
    joinDuplicateHeaders: false,
  }
  if (tls === null) return createHttpServer(timeouts, listener as RequestListener)
  const [cert, key] = await Promise.all([readPem(tls.certFile, 'cert_file'), readPem(tls.keyFile, 'key_file')])
  try {
    const server = createSecureServer({ ...timeouts, cert, key, allowHTTP1: true }, listener)
    return server as unknown as Server
  } catch (cause) {
    throw new HubError(
      'configuration_invalid',
      `cert_file, key_file: not a certificate with its key: ${textOf(cause)}`,
      { cause },
    )
  }
}

async function readPem(file: string, option: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (cause) {
    throw new HubError('configuration_invalid', `${option}: ${file} cannot be read: ${textOf(cause)}`, { cause })
  }
}

function listen(server: Server, { host, port }: ServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const where = `${host}:${port}`
      const reason =
        cause.code === 'EADDRINUSE'
          ? 'another process listens there'
          : cause.code === 'EACCES'
            ? 'not permitted'
            : cause.message
      reject(new HubError('configuration_invalid', `addr: cannot listen on ${where}: ${reason}.`, { cause }))
    })
    server.listen({ port, ...(host === '' ? {} : { host }), backlog: 4096 }, resolve)
  })
}

function closeServer(server: Server, sockets: ReadonlySet<Socket>, graceMs: number): Promise<void> {
  return new Promise(resolve => {
    const cut = setTimeout(() => {
      for (const socket of sockets) socket.destroy()
    }, graceMs)
    server.close(() => {
      clearTimeout(cut)
      resolve()
    })
    server.closeIdleConnections?.()
  })
}

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
