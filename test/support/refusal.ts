import assert from 'node:assert/strict'
import type { ErrorCode } from '../../src/errors.ts'

/** What every answer of the hub carries, whatever its status. */
export function assertSecured({ headers }: Response): void {
  assert.equal(headers.get('x-frame-options'), 'DENY')
  assert.equal(headers.get('x-content-type-options'), 'nosniff')
  assert.equal(headers.get('x-xss-protection'), '1; mode=block')
  assert.equal(headers.get('content-security-policy'), "default-src 'self'")
}

/** A refusal: one line of text that begins with its code. 401 and 403 say what kind of token is expected. */
export async function assertRefused(response: Response, status: number, code: ErrorCode): Promise<void> {
  // A stream that was opened by mistake does not end.
  if (response.headers.get('content-type') === 'text/event-stream') await response.body?.cancel()
  assert.notEqual(response.headers.get('content-type'), 'text/event-stream', 'a stream where a refusal was expected')
  const body = await response.text()
  assert.deepEqual([response.status, body.split(':', 1)[0]], [status, code], body)
  assert.match(body, /^\w+: [^\n]+\n$/)
  assert.equal(response.headers.get('content-type'), 'text/plain; charset=utf-8')
  if (status === 401 || status === 403) assert.match(response.headers.get('www-authenticate') ?? '', /^Bearer( |$)/)
  assertSecured(response)
}
