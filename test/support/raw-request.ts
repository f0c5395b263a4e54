import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answer, exchange } from './connection.ts'
import type { TestHub } from './hub.ts'

export const formHeader = 'Content-Type: application/x-www-form-urlencoded'

/** A request that is right but for what a row puts in: the connection closes after its answer. */
export const request = (line: string, headers: readonly string[] = [], body = ''): string =>
  [line, 'Host: hub.example', 'Connection: close', ...headers, '', body].join('\r\n')

/** So many of them, with a separator between them. */
export const repeat = (count: number, make: (index: number) => string, separator: string): string =>
  Array.from({ length: count }, (_, index) => make(index)).join(separator)

/** A request, and how it is refused or answered. */
export interface Row {
  readonly name: string
  /** Made when the row runs. */
  readonly bytes: () => string
  readonly status: number
  /** The refusal's code, if it is one. */
  readonly code?: string
}

/** A test for each row. The hub must be running when they run. */
export function testRows(hub: () => TestHub, rows: readonly Row[]): void {
  for (const { name, bytes, status, code } of rows) {
    test(`${name}: ${status}`, async () => {
      const answer = await exchange(hub().url, bytes())
      assert.equal(answer.status, status, answer.body)
      if (code !== undefined) assertRefusal(answer, code)
    })
  }
}

/** The answer has the form of every refusal of the hub. */
export function assertRefusal({ headers, body }: Answer, code: string): void {
  assert.ok(body.startsWith(`${code}: `), body)
  assert.equal(headers['content-type'], 'text/plain; charset=utf-8')
  assert.equal(headers['x-content-type-options'], 'nosniff')
  assert.equal(headers['x-frame-options'], 'DENY')
  assert.ok(body.length < 1000, 'a refusal is short, however long the request')
}

/** Whatever came before: an update still reaches its subscriber. */
export async function assertDelivers(hub: TestHub): Promise<void> {
  const stream = await hub.subscribe('topic=https://example.com/alive')
  const id = await hub.publish({ topic: 'https://example.com/alive' })
  assert.deepEqual(
    (await stream.take()).map(event => event.id),
    [id],
  )
  stream.close()
}
