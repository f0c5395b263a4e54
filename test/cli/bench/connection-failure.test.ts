import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCertificate } from '../../support/certificate.ts'
import { startHub } from '../../support/hub.ts'
import { bench, runBenchCommand, startStranger } from '../../support/load.ts'

test('https where nobody speaks TLS: the same address with http is proposed', async () => {
  await using hub = await startHub()
  await using mailServer = await startStranger(socket => socket.write('220 mail.example.com\r\n'))
  await using echo = await startStranger(socket => socket.pipe(socket))
  for (const host of [new URL(hub.url).host, mailServer.host, echo.host]) {
    for (const [subscribers, during] of [
      ['6', 'subscribing'],
      ['0', 'publishing'],
    ] as const) {
      await assert.rejects(bench(`https://${host}`, { subscribers }), {
        message: `https://${host}/.well-known/mercure: ${during}: the server does not speak TLS there; try http://${host}`,
      })
    }
  }
})

test('other failures of TLS are told without the insides of OpenSSL', async () => {
  // An alert: handshake_failure.
  await using server = await startStranger(socket => socket.write(Buffer.from('15030300020228', 'hex')))
  await assert.rejects(bench(`https://${server.host}`), { message: /: subscribing: TLS failed: [a-z0-9/ ]+$/ })
})

test('a certificate that is not trusted: --insecure is named, and helps', async () => {
  await using certificate = await createCertificate()
  await using hub = await startHub({ cert_file: certificate.certFile, key_file: certificate.keyFile })
  const args = [hub.url, '--publishers', '0', '--duration', '1ms']
  const refused = await runBenchCommand(args)
  assert.deepEqual([refused.code, refused.stdout], [1, ''])
  assert.match(
    refused.stderr,
    /^https:\S+: subscribing: the certificate is not accepted: it is self-signed; --insecure accepts any\n$/,
  )
  const accepted = await runBenchCommand([...args, '--insecure'])
  assert.deepEqual([accepted.code, accepted.stderr], [0, ''])
})
