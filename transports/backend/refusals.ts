import { HubError } from '../../src/errors.ts'

/** What a transport keeps its log in. */
export interface Backend {
  /** As its makers write it. */
  readonly name: string
  /** What `transport_url` begins with. */
  readonly scheme: string
}

/** What the operator has to mend; `rule` is a clause. */
export const misconfigured = ({ scheme }: Backend, rule: string): HubError =>
  new HubError('configuration_invalid', `transport_url, ${scheme}: ${rule}.`)

/** The reason of these is for the log: a clause for the operator. */
const unavailable = (message: string, reason: string): HubError =>
  new HubError('transport_unavailable', message, { cause: new Error(reason) })

export const closed = (): HubError => new HubError('transport_unavailable', 'The log is closed.')

export const unusable = ({ name }: Backend, reason = 'there is no connection'): HubError =>
  new HubError('transport_unavailable', `${name} cannot be used: ${reason}.`)

export const unreadable = (reason: string): HubError =>
  unavailable('This hub cannot read its log now. Try again later.', reason)

/** For a reader to whom the log has not waited. */
export const overtaken = (): HubError =>
  new HubError(
    'transport_unavailable',
    'Updates left the log before a slow reader came to them: it is too small for that.',
  )

export const notStored = (reason: string): HubError =>
  unavailable('The update was not stored: this hub cannot write its log now. Publish it again later.', reason)

/** For an update that was sent and not answered; `isKeyed`: the log knows its key, if it is stored. */
export const perhapsStored = (reason: string, { isKeyed = false } = {}): HubError =>
  unavailable(
    `It is not known whether the update was stored: the log has not answered. ${
      isKeyed
        ? 'Publish it again with the same Idempotency-Key: it comes once.'
        : 'Published again, it may come twice; give it an id to recognise it by.'
    }`,
    reason,
  )

export const notSent = (reason: string): HubError => unavailable('The message was not sent to the other nodes.', reason)
