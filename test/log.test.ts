import assert from 'node:assert/strict'
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
