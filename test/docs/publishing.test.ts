import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { curlMissing } from '../support/curl.ts'
import { readDocument } from '../support/documents.ts'
import { startHub, type TestHub } from '../support/hub.ts'
import { publisherToken } from '../support/token.ts'

// The commands of docs/publishing.md, run as they stand there but for the port, with a token for every topic.
const page = await readDocument('docs/publishing.md')
const topics = [1, 2, 3].map(book => `topic=https://example.com/books/${book}`).join('&')

let hub: TestHub
before(async () => {
  hub = await startHub()
})
after(() => hub.close())

/** The snippets of a section: each command, and the answer to it where one is shown. */
function commandsOf(section: string): { command: string; answer: string | undefined }[] {
  const snippets = page.snippets.filter(one => one.section === section)
  return snippets.flatMap(({ language, text }, i) => {
    if (language !== 'sh') return []
    const next = snippets[i + 1]
    const isAnswer = next !== undefined && ['json', 'ndjson'].includes(next.language)
    return [{ command: text, answer: isAnswer ? next.text : undefined }]
  })
}

async function run(command: string): Promise<string> {
  const env = { ...process.env, MERCURE_JWT: await publisherToken() }
  const line = command.replaceAll('http://127.0.0.1:3000', hub.url)
  const { stdout } = await promisify(execFile)('sh', ['-c', line], { env })
  return stdout
}

/** With any generated id in the place of each. */
const withoutIds = (text: string): string => text.replace(/urn:uuid:[0-9a-f-]{36}/g, 'urn:uuid:…')

test('one update, as a form and as JSON', { skip: curlMissing }, async () => {
  const [form, json] = commandsOf('One update')
  const stream = await hub.subscribe(topics)
  const id = await run(form!.command)
  const answer = await run(json!.command)
  assert.equal(withoutIds(answer), withoutIds(json!.answer!))
  const events = await stream.take(2)
  assert.deepEqual(
    events.map(({ id, data }) => ({ id, data: JSON.parse(data) })),
    [
      { id, data: { sold: true } },
      { id: JSON.parse(answer).id, data: { sold: true } },
    ],
  )
  stream.close()
})

test('many at once, with what became of each', { skip: curlMissing }, async () => {
  const [batch] = commandsOf('Many at once')
  const stream = await hub.subscribe(`${topics}&topic=https://example.com/last`)
  assert.equal(withoutIds(await run(batch!.command)), withoutIds(batch!.answer!))
  await hub.publish({ topic: 'https://example.com/last', id: 'last' })
  // The third is private.
  assert.deepEqual(
    (await stream.take(2)).map(({ id }) => id),
    ['urn:example:1', 'last'],
  )
  stream.close()
})

test('an array, answered with one', { skip: curlMissing }, async () => {
  const [, array] = commandsOf('Many at once')
  const stream = await hub.subscribe(topics)
  assert.equal(await run(array!.command), array!.answer)
  assert.equal((await stream.take())[0]?.id, 'urn:example:2')
  stream.close()
})
