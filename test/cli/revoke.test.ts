import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HubError } from '../../src/errors.ts'
import type { OpenTransport } from '../../src/transport.ts'
import { openTransport } from '../../transports/index.ts'
import { runCommand } from '../support/command.ts'
import { startHub } from '../support/hub.ts'
import { signToken } from '../support/token.ts'

const secret = 'a-secret-for-operators-of-tests-alone'

test('a subject is revoked, and what was done is printed', async () => {
  await using hub = await startHub({ admin_addr: '127.0.0.1:0', admin_secret: secret })
  const token = await signToken({ sub: 'ada', mercure: { subscribe: ['*'] } })
  const stream = await hub.subscribe('topic=a', { headers: { Authorization: `Bearer ${token}` } })
  const env = { MERCURE_ADMIN_URL: hub.running.adminUrl!, MERCURE_ADMIN_SECRET: secret }
  const { code, out, err } = await runCommand(['revoke', '--subject', 'ada', '--until', '2100-01-01T00:00:00Z'], {
    env,
  })
  assert.deepEqual([code, err], [0, ''])
  const { revoked, streams_closed: closed } = JSON.parse(out)
  assert.deepEqual([revoked.subject, revoked.until, closed], ['ada', '2100-01-01T00:00:00.000Z', 1])
  await stream.end()

  const args = ['revoke', '--token-id', '1', '--until', '4102444800']
  const flags = ['--admin-url', `${hub.running.adminUrl}/`, '--admin-secret', '@-']
  const other = await runCommand([...args, ...flags], { input: `${secret}\n` })
  assert.deepEqual([other.code, other.err], [0, ''])
  assert.equal(JSON.parse(other.out).revoked.until, '2100-01-01T00:00:00.000Z')
})

test('what is not done yet is said beside what was', async () => {
  const openForgetful: OpenTransport = async (url, context) => {
    const save = () => Promise.reject(new HubError('transport_unavailable', 'The disk is full.'))
    return Object.assign(await openTransport(url, context), { records: { load: async () => new Map(), save } })
  }
  await using hub = await startHub({ admin_addr: '127.0.0.1:0', admin_secret: secret }, openForgetful)
  const env = { MERCURE_ADMIN_URL: hub.running.adminUrl!, MERCURE_ADMIN_SECRET: secret }
  const { code, out, err } = await runCommand(['revoke', '--subject', 'ada'], { env })
  assert.deepEqual([code, JSON.parse(out).revoked.subject], [0, 'ada'])
  assert.match(err, /^warning: The log could not keep it: /)
})

test('what is missing or refused is said in a sentence, without the secret', async () => {
  await using hub = await startHub({ admin_addr: '127.0.0.1:0', admin_secret: secret })
  const env = { MERCURE_ADMIN_URL: hub.running.adminUrl!, MERCURE_ADMIN_SECRET: secret }
  const cases: [args: string[], env: Record<string, string>, sentence: RegExp][] = [
    [['--subject', 'a'], { ...env, MERCURE_ADMIN_SECRET: '' }, /^Which secret\?/],
    [['--subject', 'a'], { ...env, MERCURE_ADMIN_URL: '' }, /^Which hub\?/],
    [['--subject', 'a'], { ...env, MERCURE_ADMIN_URL: 'localhost' }, /is no URL/],
    [[], env, /^Revoke what\?/],
    [['--subject', 'a', '--token-id', 'b'], env, /^Revoke what\?/],
    [['--subject', 'a', '--until', 'soon'], env, /: 400 body_malformed: /],
    [['--subject', 'a'], { ...env, MERCURE_ADMIN_SECRET: `${secret}x` }, /: 401 admin_secret_wrong: /],
  ]
  for (const [args, env, sentence] of cases) {
    const { code, out, err } = await runCommand(['revoke', ...args], { env })
    assert.deepEqual([code, out], [1, ''], err)
    assert.match(err, sentence)
    assert.ok(!err.includes(secret))
  }
})
