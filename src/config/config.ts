import type { Generation } from '../protocol/generation.ts'
import type { Address } from './values/address.ts'
import type { Verifier } from './values/key.ts'

/** What the hub was told, checked and with units: times in milliseconds, sizes in bytes. */
export interface Config {
  readonly listen: Address
  /** Files with the certificate chain and the private key, as PEM; null: plain HTTP. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | null
  /** Origins by which the hub may be asked; empty: any. */
  readonly publicOrigins: readonly string[]
  readonly useForwardedHeaders: boolean
  /** Networks of the proxies whose headers are used then: `10.0.0.0/8`, `::1/128`. */
  readonly trustedProxies: readonly string[]
  readonly compress: boolean
  /** Processes that serve requests; 1: the hub is one process. */
  readonly workers: number

  readonly transportUrl: URL
  /** Bounds of the window of newest updates that each hub keeps in memory. */
  readonly recent: { readonly entries: number; readonly bytes: number }

  /** A pinned hub knows the other generation's matchers and tokens not at all. */
  readonly protocol: 'auto' | Generation
  /** How 0.x tokens are verified; both null: no 0.x token is accepted. */
  readonly keys: Roles
  /** Who may issue 1.0 tokens; empty: no 1.0 token is accepted. */
  readonly issuers: readonly Issuer[]
  /** What 1.0 tokens must have in `aud`; null: the URL of the hub as the request has it. */
  readonly resourceIdentifier: string | null
  readonly cookieNames: Readonly<Record<Generation, string>>

  readonly allowAnonymous: boolean
  readonly subscriptions: boolean
  /** In lower case: `*`, `null`, `scheme://host[:port]`, or the last with one `*` inside. */
  readonly corsAllowedOrigins: readonly string[]
  /** From where a cookie may publish; same syntax. */
  readonly publishAllowedOrigins: readonly string[]

  /** The following times: 0 is none. */
  readonly heartbeatIntervalMs: number
  readonly writeTimeoutMs: number
  readonly dispatchTimeoutMs: number
  readonly publishTimeoutMs: number
  readonly readTimeoutMs: number
  readonly readHeaderTimeoutMs: number
  /** 0: open streams are cut at once. */
  readonly shutdownTimeoutMs: number
  /** 0: no limit. */
  readonly maxRequestBodyBytes: number
  readonly maxQueueBytes: number
  /** 0: no bound. */
  readonly maxQueueBytesTotal: number
  /** What senders may have at this node, and what a request may hold; 0: no limit but the hub's own. */
  readonly limits: LimitsConfig

  readonly logFormat: 'text' | 'json'
  readonly debug: boolean
  /** null: no metrics; `main`: on the hub's own address. */
  readonly metrics: Address | 'main' | null
  /** Where spans go, and of which share of the traces that begin here; null: nothing is traced. In an application: wherever it sends its own. */
  readonly tracing: { readonly endpoint: URL; readonly serviceName: string; readonly sample: number } | null
  /** From where operators revoke tokens, and the secret that they have; null: from nowhere. */
  readonly admin: { readonly listen: Address; readonly secret: string } | null
  /** The page at `/.well-known/mercure/debug/`. */
  readonly debugger: boolean
  /** For tutorials: who may see what is not asked, and clients find resources to play with. The debugger is there, too. */
  readonly demo: boolean
}

export interface LimitsConfig {
  readonly connections: number
  readonly connectionsPerIp: number
  readonly connectionsPerSubject: number
  readonly publishesPerSecond: number
  readonly publishesPerSecondPerSubject: number
  readonly topics: number
  readonly matchers: number
  /** In characters. */
  readonly patternLength: number
}

/** A role that is null is refused. */
export interface Roles {
  readonly publisher: Verifier | null
  readonly subscriber: Verifier | null
}

export interface Issuer extends Roles {
  /** The token's `iss`. */
  readonly id: string
  /** Named in the metadata document, for clients that look for a place to get a token. */
  readonly authorizationServer: boolean
}

/** The cookie of each generation's specification. */
export const defaultCookieNames: Readonly<Record<Generation, string>> = {
  '0.x': 'mercureAuthorization',
  '1.0': '__Secure-mercure_access_token',
}
