import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearest } from '../../src/config/nearest.ts'
import { keys } from '../../src/config/schema.ts'

const cases: readonly [name: string, meant: string | undefined][] = [
  ['heartbeat_intervall', 'heartbeat_interval'],
  ['heartbeat-interval', 'heartbeat_interval'],
  ['Addr', 'addr'],
  ['jwt_kei', 'jwt_key'],
  ['publisher_jwtkey', 'publisher_jwt_key'],
  ['cors_alowed_origins', 'cors_allowed_origins'],
  ['zebra', undefined],
  ['', undefined],
]
for (const [name, meant] of cases) {
  test(`"${name}" means ${meant ?? 'nothing'}`, () => assert.equal(nearest(name, keys), meant))
}
