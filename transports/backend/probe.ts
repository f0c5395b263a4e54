import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { inTime } from './in-time.ts'

interface Address {
  readonly host: string
  readonly port: number
}

const probeMs = 1000

/** Whether a TLS connection can be made there, with whatever certificate. Nothing is sent on it. */
export const speaksTls = ({ host, port }: Address): Promise<boolean> =>
  // What its certificate is worth is seen to by who connects in earnest.
  probe(connectTls({ host, port, rejectUnauthorized: false }), socket => {
    return new Promise(resolve => socket.once('secureConnect', () => resolve(true)))
  })

/** Whether what is sent there without TLS is answered with something that begins like that. */
export const answersPlainly = ({ host, port }: Address, sent: string, beginning: RegExp): Promise<boolean> =>
  probe(connectPlain({ host, port }), socket => {
    socket.once('connect', () => socket.write(sent))
    return new Promise(resolve => socket.once('data', answer => resolve(beginning.test(answer.toString('latin1')))))
  })

async function probe<Kind extends Socket>(socket: Kind, look: (socket: Kind) => Promise<boolean>): Promise<boolean> {
  const closed = new Promise<false>(resolve => socket.once('close', () => resolve(false)))
  socket.on('error', () => {})
  try {
    return await inTime(Promise.race([look(socket), closed]), probeMs, () => new Error('no answer'))
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
