import { Failure } from '../backend/failure.ts'

/** How a role proves who it is, as libpq calls it; `none`: the server believes it. */
export const methods = ['none', 'password', 'md5', 'scram-sha-256'] as const
export type Method = (typeof methods)[number]

/** What the hub demands of the server's way to have the role prove itself. */
export interface Authentication {
  /** With `require`, whoever stands between the hub and the server is found out, even one with a certificate that is believed. */
  readonly channelBinding: 'prefer' | 'disable' | 'require'
  readonly allowed: readonly Method[]
}

const wordsOf: Readonly<Record<Method, string>> = {
  none: 'no password',
  password: 'the password itself (password)',
  md5: 'a hash of the password (md5)',
  'scram-sha-256': 'scram-sha-256',
}

interface Socket {
  readonly encrypted?: boolean
  destroy(): void
}

/** A client's connection, as far as it tells what the server asks for. */
export interface Requests {
  on(name: 'authenticationSASL', listener: (request: { mechanisms: readonly string[] }) => void): void
  on(name: string, listener: () => void): void
  readonly stream: Socket
}

/**
 * Looks at what the server asks for before the client answers, and ends the connection where that is not what is demanded. What is
 * returned tells why it did.
 */
export function watchAuthentication(requests: Requests, demands: Authentication): () => Failure | undefined {
  let method: Method = 'none'
  let refusal: Failure | undefined
  const refuse = (rule: string) => {
    refusal ??= new Failure('misconfigured', rule)
    requests.stream.destroy()
  }
  const meet = (asked: Method, mechanisms: readonly string[] = []) => {
    method = asked
    if (!demands.allowed.includes(asked)) {
      refuse(`the server asks for ${wordsOf[asked]}, which require_auth does not allow`)
    } else if (demands.channelBinding === 'require') {
      if (requests.stream.encrypted !== true) {
        refuse('channel_binding=require, and there is no TLS; set "ssl = on" at the server, and sslmode=require here')
      } else if (!mechanisms.includes('SCRAM-SHA-256-PLUS')) {
        refuse(
          `channel_binding=require, and the server asks for ${wordsOf[asked]}, without it; have its pg_hba.conf ask for scram-sha-256`,
        )
      }
    }
  }
  // Before those of the client, which answer.
  requests.on('authenticationCleartextPassword', () => meet('password'))
  requests.on('authenticationMD5Password', () => meet('md5'))
  requests.on('authenticationSASL', ({ mechanisms }) => meet('scram-sha-256', mechanisms))
  requests.on('authenticationOk', () => {
    if (method === 'none') meet('none')
  })
  return () => refusal
}
