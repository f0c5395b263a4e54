import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** The hub under load. */
export interface Target {
  readonly url: URL
  /** Take any certificate. */
  readonly insecure: boolean
}

/** What helps where a certificate is not accepted. */
export const insecureRemedy = '--insecure accepts any'

export interface ConnectionEvents {
  /** The first `length` of these bytes have arrived: valid during the call only. */
  read(bytes: Buffer, length: number): void
  /** Called once, with what ended the connection if it was not the hub. */
  close(error: Error | undefined): void
}

/** What all plain connections read into: each reading is over before the next begins. */
const sharedBuffer = Buffer.allocUnsafeSlow(64 * 1024)

export function openConnection({ url, insecure }: Target, { read, close }: ConnectionEvents): Socket {
  const isTls = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const port = Number(url.port || (isTls ? 443 : 80))
  let error: Error | undefined
  const socket = isTls
    ? connectTls({
        host,
        port,
        ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
        rejectUnauthorized: !insecure,
        ALPNProtocols: ['http/1.1'],
      }).on('data', (bytes: Buffer) => receive(bytes.length, bytes))
    : connectTcp({
        host,
        port,
        onread: {
          buffer: sharedBuffer,
          callback: length => {
            receive(length, sharedBuffer)
            return true
          },
        },
      })
  const receive = (length: number, bytes: Buffer) => {
    try {
      read(bytes, length)
    } catch (cause) {
      socket.destroy(cause as Error)
    }
  }
  return socket
    .setNoDelay()
    .on('error', cause => {
      error = cause
    })
    .on('close', () => close(error))
}

/** The lines that a request to the hub begins with, up to and without the end of its fields. */
export function requestHead(method: string, { url }: Target, query: string, token: string | undefined): string {
  const search = [url.search.slice(1), query].filter(Boolean).join('&')
  const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`
  return `${method} ${url.pathname}${search && '?'}${search} HTTP/1.1\r\nHost: ${url.host}\r\n${authorization}`
}
