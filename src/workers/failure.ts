import { type ErrorCode, HubError } from '../errors.ts'

/** An error on its way to another process: its code and sentence, or all that a log wants of a defect. */
interface Failure {
  readonly code?: ErrorCode
  readonly message: string
  readonly stack?: string | undefined
  readonly retryAfterMs?: number | undefined
}

export function encodeFailure(error: unknown): Uint8Array {
  const failure: Failure =
    error instanceof HubError
      ? { code: error.code, message: error.message, retryAfterMs: error.retryAfterMs }
      : error instanceof Error
        ? { message: error.message, stack: error.stack }
        : { message: String(error) }
  return Buffer.from(JSON.stringify(failure))
}

export function decodeFailure(bytes: Buffer): Error {
  const { code, message, stack, retryAfterMs } = JSON.parse(bytes.toString()) as Failure
  if (code !== undefined) return new HubError(code, message, { retryAfterMs })
  const error = new Error(message)
  if (stack !== undefined) error.stack = stack
  return error
}
