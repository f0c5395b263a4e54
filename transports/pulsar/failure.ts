import { HubError } from '../../src/errors.ts'
import { Failure, tlsFailure } from '../backend/failure.ts'
import { formatTopic, type Topic } from './client.ts'
import { TooLarge } from './too-large.ts'
import { UpgradeRefused } from './web-socket.ts'

const authority = 'name the file of the authority with tls_ca_file=…'
const plain = 'leave out the "s" or "+ssl" of the scheme, or name the port for TLS'

export const refusedToken = (message: string): Failure =>
  new Failure('misconfigured', `the server refuses the token, or asks for one (${message}); write token=…`)

export const refusedRight = (topic: Topic, message: string): Failure =>
  new Failure(
    'misconfigured',
    `the token's role lacks a right to ${formatTopic(topic)} (${message}); run: pulsar-admin namespaces grant-permission ${topic.tenant}/${topic.namespace} --role ROLE --actions produce,consume`,
  )

export const absentTopic = (topic: Topic, message: string): Failure =>
  new Failure(
    'misconfigured',
    /namespace/i.test(message)
      ? `there is no namespace ${topic.tenant}/${topic.namespace} (${message}); create it, or name another in topic=tenant/namespace/name`
      : `there is no topic ${formatTopic(topic)}, and none is made of itself (${message}); run: pulsar-admin topics create ${formatTopic(topic)}`,
  )

const terminatedTopic = (meaning: 'misconfigured' | 'refused', message: string): Failure =>
  new Failure(
    meaning,
    `the topic is terminated, and takes nothing ever again (${message}); name another with topic=…, or delete it with pulsar-admin topics delete`,
  )

/** What went wrong on the way to the WebSocket API. */
export function ofWebSocket(error: unknown, topic: Topic, address: string): Error {
  if (error instanceof Failure || error instanceof HubError) return error
  if (error instanceof UpgradeRefused) return ofRefusal(error, topic)
  const { code, message } = error as Error & { code?: unknown }
  const tls = tlsFailure(code, { authority, plain })
  if (tls !== undefined) return tls
  // A server that speaks TLS there has no answer to plain HTTP.
  if (code === 'HPE_INVALID_CONSTANT') {
    return new Failure(
      'misconfigured',
      'what answers there does not speak HTTP; name the port of the WebSocket API (8080), or pulsar+wss:// for TLS',
    )
  }
  if (/no WebSocket/.test(message)) return notThere(message)
  if (code === 'ECONNRESET') {
    return new Failure(
      'passing',
      `${address} has hung up without an answer (${message}): a broker that ends does, and the port of the binary protocol (6650) always; that of the WebSocket API is 8080`,
      code,
    )
  }
  return Failure.of(error)
}

function ofRefusal({ status, message }: UpgradeRefused, topic: Topic): Failure {
  if (status === 401) return refusedToken(message)
  if (status === 403) return refusedRight(topic, message)
  if (status === 404) return /topic|namespace/i.test(message) ? absentTopic(topic, message) : notThere(message)
  if (status === 400 || status === 405 || status === 426 || (status >= 200 && status < 400)) return notThere(message)
  if (/TopicTerminated/.test(message)) return terminatedTopic('misconfigured', shorten(message))
  return new Failure('passing', `it answers ${status} ${message}`)
}

const notThere = (message: string): Failure =>
  new Failure(
    'misconfigured',
    `there is no WebSocket API (${message}); set webSocketServiceEnabled=true in the broker's configuration, or name the port of Pulsar's WebSocket service`,
  )

/** Pulsar's words for what is not stored. */
export function ofSendError(message: string): Failure {
  const [, bytes, limit] = /with (\d+) bytes that exceeds (\d+)/.exec(message) ?? []
  if (bytes !== undefined) return new TooLarge('maxMessageSize', Number(bytes), Number(limit))
  if (/MessageTooBig/.test(message)) return new TooLarge('maxMessageSize')
  if (/TopicTerminated/.test(message)) return terminatedTopic('refused', shorten(message))
  if (/Timeout|timed? ?out/i.test(message)) return new Failure('broken', `it has not stored it in time (${message})`)
  if (/AlreadyClosed|NotConnected|Connection|ServiceNotReady|Disconnected/i.test(message)) {
    return new Failure('broken', `it has lost its connection (${message})`)
  }
  if (/QueueIsFull|TooManyRequests|Quota|Backlog|Fenced/i.test(message))
    return new Failure('refused', `it does not take it now (${message})`)
  return new Failure('refused', message)
}

/** The name of the exception alone: its text repeats it, with the addresses of the way there. */
const shorten = (message: string): string => /\w*TopicTerminated\w*/.exec(message)![0]

/** What the native client says of what it could not open. */
export function ofNative(error: unknown, topic: Topic): Failure {
  if (error instanceof Failure) return error
  const { message } = error as Error
  if (/AuthenticationError/.test(message)) return refusedToken(message)
  if (/AuthorizationError/.test(message)) return refusedRight(topic, message)
  if (/TopicTerminated/.test(message)) return terminatedTopic('misconfigured', shorten(message))
  if (/TopicNotFound/.test(message)) return absentTopic(topic, `${message}, or its namespace is not there`)
  if (/InvalidUrl|InvalidConfiguration|InvalidTopicName/.test(message)) return new Failure('misconfigured', message)
  if (/TimeOut|Timeout/.test(message)) return new Failure('broken', `no broker answers (${message})`)
  return new Failure('passing', message)
}
