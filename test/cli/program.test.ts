import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCommand } from '../support/command.ts'
import { startHub } from '../support/hub.ts'
import { root } from '../support/process.ts'
import { publisherToken } from '../support/token.ts'

test('every command that is shown has an example of itself', async () => {
  const { out } = await runCommand(['--help'])
  const names = [...out.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, name]) => name!).filter(name => name !== 'help')
  assert.ok(names.length >= 10, names.join(' '))
  for (const name of names) {
    const { code, out: help } = await runCommand([name, '--help'])
    assert.equal(code, 0)
    assert.match(help, new RegExp(`\nExamples?:\n(  .*\n)*? .*\\btalaria ${name}\\b`), name)
  }
})

test('docs/command-line.md has every command and every flag that says which hub', async () => {
  const page = await readFile(join(root, 'docs/command-line.md'), 'utf8')
  const { out } = await runCommand(['--help'])
  for (const [, name] of out.matchAll(/^ {2}([a-z]+) {2,}/gm)) {
    if (name !== 'help') assert.match(page, new RegExp(`^\\| \`talaria ${name}\\b`, 'm'))
  }
  // Its examples: a flag that they name is one of the command.
  const lines = [...page.matchAll(/^(?:.*\| )?talaria ([a-z]+) (.*)$/gm)]
  assert.ok(lines.length >= 8)
  for (const [line, name = '', rest = ''] of lines) {
    const { out: help } = await runCommand([name, '--help'])
    for (const [flag] of rest.replace(/ \| .*/, '').matchAll(/--[a-z-]+/g)) assert.ok(help.includes(flag), line)
  }
})

test('a command that is misspelt is told from the one that is meant', async () => {
  const { code, out, err } = await runCommand(['subscription'])
  assert.deepEqual([code, out], [1, ''])
  assert.equal(err, 'error: there is no command "subscription": see talaria --help. Did you mean "subscriptions"?\n')
})

test('so is one with arguments and flags of its own', async () => {
  for (const rest of [['a'], ['a', 'b'], ['--dev', 'a'], ['a', '--data', 'x']]) {
    const { code, out, err } = await runCommand(['pubish', ...rest])
    assert.deepEqual([code, out], [1, ''])
    assert.equal(err, 'error: there is no command "pubish": see talaria --help. Did you mean "publish"?\n')
  }
  const { err } = await runCommand(['serve', 'a'])
  assert.match(err, /^error: too many arguments for 'serve'\. Expected 0 arguments but got 1\.\n/)
})

test('no help shows the inside of a default', async () => {
  for (const name of ['token', 'tail', 'publish', 'history', 'bench']) {
    const { out } = await runCommand([name, '--help'])
    assert.doesNotMatch(out, /\[\]|undefined|null/, name)
  }
})

test('the token may have the word that goes before it in a header', async () => {
  await using hub = await startHub()
  const token = `Bearer ${await publisherToken()}`
  for (const env of [{ MERCURE_JWT: token }, { MERCURE_JWT: token.replace('Bearer', 'bearer ') }]) {
    const { code, err } = await runCommand(['publish', '--url', hub.url, 'https://example.com/1'], { env })
    assert.deepEqual([code, err], [0, ''])
  }
})

test("the address of a hub's page, and one with slashes, mean the hub", async () => {
  await using hub = await startHub()
  const env = { MERCURE_JWT: await publisherToken() }
  const pages = ['debug', 'debug/', 'debug/?topic=a#b', 'ui/', 'ui/debug.html'].map(page => `${hub.hubUrl}/${page}`)
  for (const url of [...pages, `${hub.url}//`, `${hub.url}///`, `${hub.hubUrl}//`]) {
    const { code, err } = await runCommand(['publish', '--url', url, 'https://example.com/1'], { env })
    assert.deepEqual([code, err], [0, ''], url)
  }
})

test('who asks a plain port by https is told so, in a sentence', async () => {
  await using hub = await startHub()
  const url = hub.url.replace('http:', 'https:')
  const { code, err } = await runCommand(['publish', '--url', url, 'https://example.com/1'])
  assert.equal(code, 1)
  assert.match(err, new RegExp(`: the server does not speak TLS there; try ${hub.url}\\.\n$`))
})

test('bench without a token says how to give one', async () => {
  await using hub = await startHub()
  const { code, err } = await runCommand(['bench', hub.url, '--subscribers', '1', '--duration', '100ms'])
  assert.equal(code, 1)
  assert.match(
    err,
    /401 token_missing.* Give one with --token or MERCURE_JWT, or the key of the hub, .* with --key\.\n$/,
  )
})

test('check takes its file as an argument, too', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'talaria-check-'))
  t.after(() => rm(directory, { recursive: true }))
  const file = join(directory, 'my.yaml')
  await writeFile(file, 'jwt_key: a-key-for-tests-that-is-32-bytes-long\naddr: 127.0.0.1:3456\n')
  const { code, out } = await runCommand(['check', file])
  assert.equal(code, 0)
  assert.match(out, /my\.yaml[\s\S]*127\.0\.0\.1:3456/)
  const { code: refused, err } = await runCommand(['check', file, '--config', file])
  assert.deepEqual([refused, err], [1, 'Which file? --config names one, and the argument another.\n'])
})

test('bench finds its hub and its token as the others do', async () => {
  await using hub = await startHub()
  const env = { MERCURE_URL: hub.url, MERCURE_JWT: await publisherToken() }
  const args = ['bench', '--json', '--subscribers', '1', '--duration', '100ms']
  const { code, out, err } = await runCommand(args, { env })
  assert.deepEqual([code, err], [0, ''])
  assert.equal(JSON.parse(out).url, hub.hubUrl)
  assert.equal((await runCommand(args)).err, 'Which hub? Give its URL, or set MERCURE_URL.\n')
})
