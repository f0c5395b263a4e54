import assert from 'node:assert/strict'
import { test } from 'node:test'
import { packConfig, unpackConfig } from '../../src/config/transfer.ts'
import { load } from '../support/configuration.ts'

test('a configuration comes out in another process as it went in', async () => {
  const { config } = await load({
    yaml: `
      addr: "[::1]:3000"
      transport_url: redis://user:p%40ss@host:6379/stream?a=b
      jwt_key: a-key-for-tests-that-is-32-bytes-long
      subscriber_jwks_url: https://keys.example/jwks.json?x=1
      subscriber_jwt_key: ""
      issuers:
        - id: https://issuer.example
          publisher: {key: a-key-for-tests-that-is-32-bytes-long, algorithm: HS256}
          subscriber: {jwks_uri: https://issuer.example/jwks.json, algorithms: [ES256]}
      workers: 3
      metrics_enabled: true
    `.replaceAll(/^ {6}/gm, ''),
  })
  assert.equal(config.workers, 3)
  const unpacked = unpackConfig(packConfig(config))
  assert.deepEqual(unpacked, config)
  assert.ok(unpacked.transportUrl instanceof URL)
})
