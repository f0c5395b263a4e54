import type { Relay } from './relay.ts'

/** A kind of real server that several hubs can share, for tests that are the same for all kinds. */
export interface TestBackend {
  /** The scheme of its URLs: `redis`. */
  readonly name: string
  /** Why its tests are skipped; `false`: they are not. */
  readonly skipped: string | false
  /** Starts a server of the test's own, thrown away at the end; it answers when this resolves. */
  open(): Promise<BackendServer>
}

/** A real server, and the troubles that befall it. */
export interface BackendServer extends AsyncDisposable {
  /**
   * The `transport_url` of the log of this name, which may have letters, digits and hyphens; the log need not be there. The hub that uses it
   * makes it.
   */
  url(log: string, options?: LogOptions): URL
  /** Stands between the server and those whose URL says so; the server is reached by it for as long as it is started. */
  readonly relay: Relay
  /** Ends the server, as a crash would where what it stored survives that; what it stored is there when it is started again. */
  stop(): Promise<void>
  /** Starts it again, with the same data and at the same addresses; resolves when it answers. */
  start(): Promise<void>
  /** It stands still, and its connections stay (SIGSTOP). Also its disposal ends that. */
  pause(): Promise<void>
  /** It goes on (SIGCONT). */
  resume(): Promise<void>
}

export interface LogOptions {
  /** By the relay. */
  readonly relayed?: boolean
  /** How many of the newest updates the log keeps, at least. Absent: all. */
  readonly size?: number
}

/** Each kind, loaded when it is asked for: what a machine has of the others is not looked for then. */
export const backends: Readonly<Record<string, () => Promise<TestBackend>>> = {
  redis: async () => (await import('./services/redis-backend.ts')).redis,
  postgres: async () => (await import('./services/postgres-backend.ts')).postgres,
  kafka: async () => (await import('./services/kafka-backend.ts')).kafka,
  pulsar: async () => (await import('./services/pulsar-backend.ts')).pulsar,
}
