import type { Session } from '../backend/connection.ts'
import type { Position } from './position.ts'

/** What is sent to a topic. */
export interface OutgoingMessage {
  readonly payload: Uint8Array
  readonly properties: Readonly<Record<string, string>>
}

/** What a topic has. */
export interface Message extends OutgoingMessage {
  readonly position: Position
  /** When it was published, in milliseconds since 1970. */
  readonly timeMs: number
}

export interface Producer extends Session {
  /** Resolves with its place when it is stored. Messages are stored in the order of the calls. @throws Failure */
  send(message: OutgoingMessage): Promise<Position>
  /** Resolves when the other side answers. @throws Failure */
  probe(): Promise<void>
}

export interface Reader extends Session {
  /** What comes next, one message at least; one call at a time. @throws Failure when the reader is over */
  read(): Promise<readonly Message[]>
}

export interface ReaderOptions {
  /** The message before the first one. */
  readonly after: Position | 'earliest' | 'latest'
  /** Messages that may be under way at the same time. */
  readonly ahead: number
  /** It waits for what is still to come; else it is for what is there. */
  readonly isLive: boolean
}

/** A way to a Pulsar. What it opens never connects again by itself. */
export interface Client {
  /** @throws Failure; HubError `configuration_invalid` */
  openProducer(topic: Topic, signal: AbortSignal): Promise<Producer>
  /** @throws Failure; HubError `configuration_invalid` */
  openReader(topic: Topic, options: ReaderOptions, signal: AbortSignal): Promise<Reader>
  close(): Promise<void>
}

/** The name of a topic: `persistent://tenant/namespace/name`. */
export interface Topic {
  readonly kind: 'persistent' | 'non-persistent'
  readonly tenant: string
  readonly namespace: string
  readonly name: string
}

export const formatTopic = ({ kind, tenant, namespace, name }: Topic): string =>
  `${kind}://${tenant}/${namespace}/${name}`

/** As a part of the path of a URL. */
export const topicPath = ({ kind, ...parts }: Topic): string =>
  [kind, parts.tenant, parts.namespace, parts.name].map(encodeURIComponent).join('/')
