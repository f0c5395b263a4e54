import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { root } from './support/process.ts'

test('the matrix shows what each transport was tested for, and why it was not', async () => {
  // What the runner tells of itself would make this a part of it.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const args = ['--test', '--test-reporter=./scripts/matrix.mjs', 'test/transports/local.test.ts']
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, env })
  const [head = '', ...rows] = stdout.trim().split('\n')
  assert.match(head, /^Contract +local$/)
  assert.ok(rows.some(row => /^ {2}live: every update once, .* ✔$/.test(row)))
  assert.ok(rows.some(row => /^ {2}restart: .* –$/.test(row)))
  assert.ok(rows.includes('– local: the log lives in the process'))
})
