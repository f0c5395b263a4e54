import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { test } from 'node:test'
import { createLog, writeLine } from '../src/log.ts'

test('a line is with its destination when the call returns, in either format: none is left when the process ends', () => {
  for (const format of ['text', 'json'] as const) {
    const lines: string[] = []
    const log = createLog({ format, debug: false, destination: { write: line => lines.push(line) } })
    log.info({ url: 'http://a.example' }, 'listening')
    log.debug('not asked for')
    assert.equal(lines.length, 1)
    assert.match(lines[0]!, /listening/)
    assert.match(lines[0]!, /http:\/\/a\.example.*\n$/s)
    writeLine(log, `${JSON.stringify({ level: 30, time: 0, msg: 'of a worker', worker: 2 })}\n`)
    assert.match(
      lines[1]!,
      format === 'text' ? /INFO: of a worker\n +worker: 2\n$/ : /^\{.*"msg":"of a worker","worker":2\}\n$/,
    )
  }
})

test('what is fatal leaves before the call returns', () => {
  for (const format of ['text', 'json'] as const) {
    let flushed = 0
    const destination = { write() {}, flushSync: () => void flushed++ }
    createLog({ format, debug: false, destination }).fatal('a defect')
    assert.equal(flushed, 1, format)
  }
})

test('who logs goes on without a log that cannot be written, and ends when told to', {
  skip: process.platform !== 'linux',
}, async () => {
  for (const format of ['text', 'json'] as const) {
    const program = `
      import { createLog } from '${import.meta.resolve('../src/log.ts')}'
      const log = createLog({ format: '${format}', debug: false })
      log.info('a line')
      process.stdin.once('data', () => {
        log.info('another')
        log.fatal('the last')
        process.exit(7)
      })`
    await using full = await open('/dev/full', 'w')
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['pipe', full.fd, 'pipe'],
    })
    let said = ''
    child.stderr!.setEncoding('utf8').on('data', text => {
      said += text
      if (said.endsWith('\n')) child.stdin!.end('go on')
    })
    const [code] = await once(child, 'close')
    assert.match(said, /^The log cannot be written any more: ENOSPC.*\n$/)
    assert.equal(code, 7)
  }
})
