import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, test } from 'node:test'
import { EventStream } from '../support/event-stream.ts'
import { HubProcess, main } from '../support/process.ts'
import { testKey } from '../support/token.ts'

const env = { MERCURE_PUBLISHER_JWT_KEY: testKey, MERCURE_SUBSCRIBER_JWT_KEY: testKey }
/** In the image there is no Caddyfile. Where this machine has Caddy, its own is hidden from the hub. */
const withoutCaddyfiles = existsSync('/etc/caddy')
  ? ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /etc/caddy && exec "$0" "$@"']
  : []
const start = (...words: string[]) =>
  HubProcess.start({
    command: [...withoutCaddyfiles, process.execPath, main, ...words],
    env: { ...env, ADDR: '127.0.0.1:0', TRANSPORT_URL: 'local://local' },
  })

const skip = existsSync('/etc/caddy') && process.getuid?.() !== 0 && 'only root can hide the Caddyfile of this machine'

describe('the command of the reference hub’s image', { skip }, () => {
  const development: readonly string[][] = [
    ['/usr/bin/caddy', 'run', '--config', '/etc/caddy/dev.Caddyfile'],
    ['caddy', 'run', '--adapter', 'caddyfile', '--config=/etc/caddy/dev.Caddyfile'],
    ['caddy', 'run', '-config', 'Caddyfile.dev'],
    ['caddy', 'run', '--watch', '-c', '/etc/caddy/dev.Caddyfile'],
  ]
  for (const words of development) {
    test(`${words.join(' ')}: a hub for development`, async () => {
      await using hub = await start(...words)
      const stream = await EventStream.open(`${await hub.url()}/.well-known/mercure?topic=a`)
      stream.close()
      assert.match(String(hub.messages[0]), /dev\.Caddyfile runs a hub for development: everybody may subscribe/)
    })
  }

  test('with the other Caddyfile: a hub as it is configured', async () => {
    await using hub = await start('/usr/bin/caddy', 'run', '--config', '/etc/caddy/Caddyfile', '--adapter', 'caddyfile')
    const { status } = await fetch(`${await hub.url()}/.well-known/mercure?topic=a`)
    assert.equal(status, 401)
    assert.match(String(hub.messages[0]), /"caddy run" is not needed/)
  })

  test('with a Caddyfile of one’s own is refused, with what to do instead', async () => {
    for (const name of ['/srv/Mercure.caddyfile', 'Caddyfile']) {
      await using hub = await HubProcess.start({
        command: [
          'sh',
          '-c',
          `${name === 'Caddyfile' ? 'echo > Caddyfile; ' : ''}exec "$0" "$@"`,
          process.execPath,
          main,
          'caddy',
          'run',
          '--config',
          name,
        ],
        env,
      })
      assert.equal(await hub.exit(), 1)
      assert.match(hub.stderr, /^command: this hub reads no Caddyfile\. Write .* as MERCURE_EXTRA_DIRECTIVES/)
    }
  })

  test('another verb is refused', async () => {
    await using hub = await start('caddy', 'validate')
    assert.equal(await hub.exit(), 1)
    assert.equal(hub.stderr, 'There is no Caddy here, but "caddy run" runs the hub.\n')
  })
})
