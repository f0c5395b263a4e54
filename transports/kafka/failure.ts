import { Failure, type Meaning, tlsFailure } from '../backend/failure.ts'

/** What the errors of the client library have, as far as it is of use here. */
interface LibraryError extends Error {
  readonly code?: unknown
  /** The name of an error of Kafka's protocol. */
  readonly apiId?: unknown
  readonly serverErrorMessage?: unknown
  readonly errors?: readonly Error[]
}

/** An error of Kafka, of its client, or of the way to it. */
export function interpret(error: unknown): Failure {
  if (error instanceof Failure || !(error instanceof Error)) return Failure.of(error)
  const { code, apiId, serverErrorMessage, errors, message, cause } = error as LibraryError
  if (typeof apiId === 'string')
    return ofProtocol(apiId, typeof serverErrorMessage === 'string' ? serverErrorMessage : '')
  const tls = tlsFailure(code, {
    authority: 'name the file of the authority in the variable NODE_EXTRA_CA_CERTS',
    plain: 'leave out tls=1',
  })
  if (tls !== undefined) return tls
  if (/Broker requires TLS/.test(message)) return new Failure('misconfigured', 'the broker speaks TLS there; add tls=1')
  if (/TLS handshake failed/.test(message)) {
    return new Failure(
      'misconfigured',
      'the broker does not speak TLS there; leave out tls=1, or name its port for TLS',
    )
  }
  // What is in the middle says what went wrong, and what is around it where.
  if (errors !== undefined && errors.length > 0) return interpret(errors[0])
  if (cause instanceof Error) return interpret(cause)
  return Failure.of(error)
}

const write = 'write user=…&password=…, and percent-encode # & % + in both'

/** The errors of Kafka's protocol that an operator can do something about. */
const advice: Readonly<Record<string, string>> = {
  SASL_AUTHENTICATION_FAILED: `the broker refuses user and password; ${write}`,
  UNSUPPORTED_SASL_MECHANISM:
    'the broker does not know this mechanism at that port; give another mechanism, or none of user and password',
  ILLEGAL_SASL_STATE:
    'the broker asks for no user and password at that port; leave them out, or name its port for SASL',
  TOPIC_AUTHORIZATION_FAILED:
    'the user lacks a right to the topic; grant Describe, Read and Write on it and on TOPIC.presence',
  CLUSTER_AUTHORIZATION_FAILED:
    'the user may not create the topic; create it and TOPIC.presence yourself, each with one partition',
  GROUP_AUTHORIZATION_FAILED:
    'consumer_group: the user lacks the right Read to this group; grant it, or leave the option out',
  INVALID_REPLICATION_FACTOR: 'replication: the cluster has not so many brokers',
  INVALID_TOPIC_EXCEPTION: 'topic: Kafka takes no topic of this name',
  POLICY_VIOLATION:
    'the cluster has a policy against such a topic; create it and TOPIC.presence yourself, each with one partition',
  INVALID_CONFIG:
    'the cluster does not take such settings of a topic; create it and TOPIC.presence yourself, each with one partition',
  UNSUPPORTED_VERSION: 'the broker is too old; Kafka 2.4 or later is needed',
}

/** Of what cannot be done now, and may be a moment later; nothing was done. */
const passing = new Set([
  'BROKER_NOT_AVAILABLE',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'FENCED_LEADER_EPOCH',
  'LEADER_NOT_AVAILABLE',
  'NOT_CONTROLLER',
  'NOT_COORDINATOR',
  'NOT_ENOUGH_REPLICAS',
  'NOT_LEADER_OR_FOLLOWER',
  'OFFSET_NOT_AVAILABLE',
  'REPLICA_NOT_AVAILABLE',
  'THROTTLING_QUOTA_EXCEEDED',
  'TOPIC_ALREADY_EXISTS',
  'TOPIC_DELETION_DISABLED',
  'UNKNOWN_LEADER_EPOCH',
  'UNKNOWN_TOPIC_ID',
  'UNKNOWN_TOPIC_OR_PARTITION',
])

/** It may have been done all the same, on some of the brokers. */
const broken = new Set([
  'KAFKA_STORAGE_ERROR',
  'NETWORK_EXCEPTION',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'REQUEST_TIMED_OUT',
  'UNKNOWN_SERVER_ERROR',
])

function ofProtocol(name: string, said: string): Failure {
  const text = said === '' ? name : `${name}: ${said.replace(/\.$/, '')}`
  const rule = advice[name]
  if (rule !== undefined) return new Failure('misconfigured', `${rule} (${text})`, name)
  const meaning: Meaning = passing.has(name) ? 'passing' : broken.has(name) ? 'broken' : 'refused'
  return new Failure(meaning, text, name)
}
