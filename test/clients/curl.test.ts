import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, test } from 'node:test'
import { createCertificate } from '../support/certificate.ts'
import { curlMissing, curlWithout } from '../support/curl.ts'
import { startHub } from '../support/hub.ts'
import { publisherToken } from '../support/token.ts'

const skip = curlMissing
const certificate = await createCertificate()
after(() => certificate[Symbol.asyncDispose]())

const topic = 'https://example.com/books/1'

/** Runs curl: what it prints, as it comes, and how it ends. */
function curl(...options: string[]) {
  const process = spawn('curl', ['-sS', ...options], { stdio: ['ignore', 'pipe', 'inherit'] })
  const output = process.stdout.setEncoding('utf8')
  const ended = once(process, 'close')
  let text = ''
  output.on('data', chunk => {
    text += chunk
  })
  return {
    /** Resolves with what was printed when that holds; fails when curl ends first. */
    async until(condition: (text: string) => boolean): Promise<string> {
      while (!condition(text))
        await Promise.race([once(output, 'data'), ended.then(() => assert.fail(`curl ended: ${text}`))])
      return text
    },
    async end(): Promise<string> {
      await ended
      return text
    },
    async [Symbol.asyncDispose]() {
      process.kill()
      await ended
    },
  }
}

interface Row {
  readonly name: string
  readonly options: string[]
  readonly secure?: boolean
  readonly compress?: boolean
  /** Why this curl cannot do it. */
  readonly without?: string | false
}

/** In a coding, and in no other: curl decodes what it is sent. */
const compressed = (coding: string, feature: Parameters<typeof curlWithout>[0]): Row => ({
  name: coding,
  options: ['--compressed', '-H', `Accept-Encoding: ${coding}`],
  compress: true,
  without: curlWithout(feature),
})

const streams: readonly Row[] = [
  { name: 'HTTP/1.1', options: [] },
  { name: 'HTTP/1.0', options: ['--http1.0'] },
  { name: 'codings offered, and none used', options: ['--compressed'] },
  { name: 'the coding that the hub chooses', options: ['--compressed'], compress: true },
  compressed('gzip', 'libz'),
  compressed('zstd', 'zstd'),
  compressed('br', 'brotli'),
  { name: 'HTTP/2', options: ['--http2'], secure: true, without: curlWithout('HTTP2') },
  { name: 'HTTP/1.1 over TLS', options: ['--http1.1'], secure: true },
]
for (const { name, options, secure = false, compress = false, without = false } of streams) {
  test(`curl -N shows updates as they come: ${name}`, { skip: skip || without }, async () => {
    const { certFile, keyFile } = certificate
    await using hub = await startHub({ compress, ...(secure ? { cert_file: certFile, key_file: keyFile } : {}) })
    const trust = secure ? ['--cacert', certFile] : []
    await using reader = curl('-N', ...trust, ...options, `${hub.hubUrl}?topic=${topic}`)
    const opening = await reader.until(text => text.endsWith('\n'))
    assert.match(opening, /^:\n/)
    const id = await hub.publish({ topic, data: 'Hello\nover there', type: 'greeting' })
    const text = await reader.until(text => text.endsWith('\n\n'))
    assert.equal(text, `${opening}event: greeting\nid: ${id}\ndata: Hello\ndata: over there\n\n`)
  })
}

test('curl resumes after the id that it is given', { skip }, async () => {
  await using hub = await startHub()
  const first = await hub.publish({ topic, data: 'one' })
  await hub.publish({ topic, data: 'two' })
  await using reader = curl('-N', '-i', '-H', `Last-Event-ID: ${first}`, `${hub.hubUrl}?topic=${topic}`)
  const text = await reader.until(text => text.includes('data: two\n\n'))
  assert.ok(text.includes(`\r\nLast-Event-ID: ${first}\r\n`))
  assert.ok(!text.includes('data: one'))
})

test('curl publishes a form and prints the id', { skip }, async () => {
  await using hub = await startHub()
  const stream = await hub.subscribe(`topic=${encodeURIComponent(topic)}`)
  const authorization = `Authorization: Bearer ${await publisherToken()}`
  await using publisher = curl(
    '-H',
    authorization,
    '-d',
    `topic=${topic}`,
    '--data-urlencode',
    'data=1 + 1 = 2 & more',
    hub.hubUrl,
  )
  const id = await publisher.end()
  const [event] = await stream.take()
  assert.deepEqual([event?.id, event?.data], [id, '1 + 1 = 2 & more'])
})

test('curl shows why it may not publish', { skip }, async () => {
  await using hub = await startHub()
  await using publisher = curl('-w', '\n%{http_code}', '-d', `topic=${topic}`, '-d', 'data=Hello', hub.hubUrl)
  assert.match(await publisher.end(), /^token_missing: .*\n\n401$/)
})
