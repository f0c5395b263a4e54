import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { jwtVerify, SignJWT } from 'jose'
import { parse } from 'yaml'
import { openChromium } from './support/chromium.ts'
import { load } from './support/configuration.ts'
import { curlMissing } from './support/curl.ts'
import { readDocument, readDocuments, type Snippet } from './support/documents.ts'
import { startHub, type TestHub } from './support/hub.ts'
import { root } from './support/process.ts'
import { missing } from './support/services/missing.ts'
import { signToken } from './support/token.ts'

// The snippets of docs/getting-started.md, run as they stand there but for the port, against a hub with the configuration that they are for.
const page = await readDocument('docs/getting-started.md')
const shippedUrl = 'http://127.0.0.1:3000'
const topic = 'https://example.com/books/1'
const sold = { sold: true }

/** Why what needs a program is skipped, `false`: it is here. `packages` of Debian have it. */
const isMissing = (packages: string, program: string, ...args: string[]): string | false =>
  spawnSync(program, args, { stdio: 'ignore' }).status !== 0 && missing(`this machine does not have ${packages}`)
const phpMissing = isMissing('php-cli', 'php', '--version')
const pythonMissing = isMissing('python3', 'python3', '--version')
const symfonyMissing =
  phpMissing || isMissing('php-symfony-mercure', 'php', '-r', 'require "Symfony/Component/Mercure/autoload.php";')
const twigMissing = symfonyMissing || isMissing('php-twig', 'php', '-r', 'require "Twig/autoload.php";')
const chromium = await openChromium()

let hub: TestHub
let token: string
let directory: string
before(async () => {
  const shipped = parse(await readFile(join(root, 'mercure.yaml'), 'utf8'))
  hub = await startHub({ ...shipped, addr: '127.0.0.1:0', transport_url: 'local://local?size=100' })
  token = await signToken({ mercure: { publish: ['*'] } }, shipped.jwt_key)
  directory = await mkdtemp(join(tmpdir(), 'talaria-docs-'))
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'))
})
after(async () => {
  await Promise.all([hub.close(), chromium.close()])
  await rm(directory, { recursive: true })
})

/** The one snippet of a section in a language that has these words, for the hub of this test. */
function snippet(section: string, language: string, words = ''): string {
  const found = page.snippets.filter(
    one => one.section === section && one.language === language && one.text.includes(words),
  )
  assert.equal(found.length, 1, `one snippet in ${language} with "${words}" under "${section}"`)
  return found[0]!.text.replaceAll(shippedUrl, hub.url)
}

const write = async (name: string, text: string): Promise<string> => {
  const file = join(directory, name)
  await writeFile(file, text)
  return file
}
const environment = () => ({ ...process.env, MERCURE_JWT: token })

/** Runs a program to its end: what it prints. */
async function run(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { cwd: root, env: environment() })
  return stdout
}

/** Runs a program that publishes with what is no token: all that it prints. */
async function refusalOf(program: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, MERCURE_JWT: 'x' }
  // Some say by their exit code, too, that they were refused.
  const { stdout, stderr } = await promisify(execFile)(program, args, { cwd: root, env }).catch(error => error)
  return `${stdout}${stderr}`
}

/** Runs a program that publishes, and gives the event that a subscriber gets of it. */
async function eventOf(program: string, ...args: string[]): Promise<{ data: unknown; id: string; said: string }> {
  const stream = await hub.subscribe(`topic=${topic}`)
  const said = await run(program, ...args)
  const [event] = await stream.take()
  stream.close()
  return { data: JSON.parse(event!.data), id: event!.id!, said }
}

/** Runs a program that subscribes, until it prints what is published once it is there. */
async function assertReceives(program: string, ...args: string[]): Promise<void> {
  const subscribers = () => hub.logs.filter(({ msg }) => msg === 'new subscriber').length
  const before = subscribers()
  const child: ChildProcess = spawn(program, args, { env: environment(), stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  let printed = ''
  const output = child.stdout!.setEncoding('utf8').on('data', text => {
    printed += text
  })
  const endsEarly = ended.then(() => assert.fail(`it ended: ${printed}`))
  try {
    await Promise.race([hub.logged(() => subscribers() > before), endsEarly])
    const id = await publish(sold)
    while (!(printed.includes(id) && printed.includes('sold'))) await Promise.race([once(output, 'data'), endsEarly])
    assert.match(printed, /sold.*true/)
  } finally {
    endsEarly.catch(() => {})
    child.kill()
    await ended
  }
}

async function publish(data: unknown): Promise<string> {
  const fields = new URLSearchParams({ topic, data: JSON.stringify(data) })
  const response = await hub.post(fields, { headers: { Authorization: `Bearer ${token}` } })
  const answer = await response.text()
  assert.equal(response.status, 200, answer)
  return answer
}

const refusal = /^(40\d )?[a-z_]+_malformed: .+\n/
const updateId = /^urn:uuid:[0-9a-f-]{36}$/

describe('getting started', () => {
  test('the command for a token mints one that publishes everything', async () => {
    const command = snippet('The hub', 'sh', 'MERCURE_JWT')
    const minted = (await run('sh', '-c', `${command}\nprintf %s "$MERCURE_JWT"`)).trim()
    const { payload } = await jwtVerify(minted, new TextEncoder().encode('!ChangeThisMercureHubJWTSecretKey!'))
    assert.deepEqual(payload.mercure, { publish: ['*'] })
  })

  describe('with curl', { skip: curlMissing }, () => {
    test('shows a refusal', async () =>
      assert.match(await refusalOf('sh', '-c', snippet('curl', 'sh', 'Authorization')), refusal))
    test('publishes', async () => {
      const { data, id, said } = await eventOf('sh', '-c', snippet('curl', 'sh', 'Authorization'))
      assert.deepEqual([data, said], [sold, id])
      assert.match(id, updateId)
    })
    test('subscribes', () => assertReceives('sh', '-c', `exec ${snippet('curl', 'sh', '-N')}`))
  })

  test('a page shows updates', { skip: chromium.missing }, async () => {
    const file = await write('page.html', snippet('A page', 'html'))
    await using shown = await chromium.openPage()
    const subscribed = shown.waitForResponse(response => response.url().startsWith(hub.url))
    await shown.goto(pathToFileURL(file).href)
    assert.equal((await subscribed).status(), 200)
    await publish(sold)
    await shown.locator('#updates li').waitFor()
    assert.deepEqual(await shown.locator('#updates li').allTextContents(), [JSON.stringify(sold)])
  })

  describe('with Symfony', () => {
    const autoload =
      'require "Symfony/Component/Mercure/autoload.php"; use Symfony\\Component\\Mercure\\{Hub, HubRegistry};'
    const hubOf = `new Hub("HUB", new Symfony\\Component\\Mercure\\Jwt\\StaticTokenProvider(getenv("MERCURE_JWT")))`

    test('its configuration is what the bundle takes', async () => {
      const { mercure } = parse(snippet('Symfony', 'yaml'))
      const variables = new Map(
        snippet('Symfony', 'ini')
          .matchAll(/^(\w+)="?(.*?)"?$/gm)
          .map(([, name = '', value = '']) => [name, value]),
      )
      const { url, public_url, jwt } = mercure.hubs.default
      const resolve = (reference: string) => variables.get(/^%env\((\w+)\)%$/.exec(reference)?.[1] ?? '')
      assert.deepEqual([resolve(url), resolve(public_url)], [hub.hubUrl, hub.hubUrl])
      const signed = await signToken({ mercure: { publish: [jwt.publish] } }, resolve(jwt.secret))
      const response = await hub.post(new URLSearchParams({ topic }), {
        headers: { Authorization: `Bearer ${signed}` },
      })
      assert.equal(response.status, 200)
    })
    test('a controller publishes', { skip: symfonyMissing }, async () => {
      const file = await write('SellController.php', snippet('Symfony', 'php'))
      const call = `${autoload} require "${file}"; echo (new App\\Controller\\SellController)(1, ${hubOf})->getStatusCode();`
      const { data, said } = await eventOf('php', '-r', call.replace('HUB', hub.hubUrl))
      assert.deepEqual([data, said], [sold, '204'])
    })
    test('a template subscribes', { skip: twigMissing }, async () => {
      const file = await write('page.twig', snippet('Symfony', 'twig'))
      const render = `${autoload} require "Twig/autoload.php";
        $twig = new Twig\\Environment(new Twig\\Loader\\ArrayLoader(["page" => file_get_contents("${file}")]));
        $twig->addExtension(new Symfony\\Component\\Mercure\\Twig\\MercureExtension(new HubRegistry(${hubOf})));
        echo $twig->render("page");`
      const html = await run('php', '-r', render.replace('HUB', hub.hubUrl))
      const [, url = ''] = /new EventSource\((".*")\)/.exec(html) ?? []
      const stream = await hub.subscribe(new URL(JSON.parse(url)).search.slice(1))
      await publish(sold)
      assert.deepEqual(JSON.parse((await stream.take())[0]!.data), sold)
      stream.close()
    })
  })

  test('Laravel: the hub takes the tokens that the application issues', async () => {
    const { config, warnings } = await load({ yaml: snippet('Laravel', 'yaml') })
    assert.deepEqual(
      warnings.filter(warning => !/documentation|https URL/.test(warning)),
      [],
    )
    const { publisher } = config.issuers[0]!
    assert.ok(publisher !== null && 'key' in publisher)
    const trusting = { ...parse(snippet('Laravel', 'yaml')), addr: '127.0.0.1:0', jwt_key: undefined }
    await using trustingHub = await startHub(trusting)
    const issued = await new SignJWT({
      iss: 'http://localhost:8000',
      aud: trusting.resource_identifier,
      sub: 'http://localhost:8000',
      client_id: 'http://localhost:8000',
      exp: Math.floor(Date.now() / 1000) + 3600,
      authorization_details: [
        { type: 'https://mercure.rocks/authorization-detail', actions: ['publish'], topics: [{ match: '*' }] },
      ],
    })
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
      .sign(new TextEncoder().encode(publisher.key))
    const response = await trustingHub.post(new URLSearchParams({ topic }), {
      headers: { Authorization: `Bearer ${issued}` },
    })
    assert.equal(response.status, 200, await response.text())
  })

  describe('with PHP', { skip: phpMissing }, () => {
    test('publishes', async () => {
      const { data, id, said } = await eventOf(
        'php',
        await write('publish.php', snippet('PHP', 'php', 'file_get_contents')),
      )
      assert.deepEqual([data, said], [sold, `${id}\n`])
    })
    test('shows a refusal', async () =>
      assert.match(
        await refusalOf('php', await write('publish.php', snippet('PHP', 'php', 'file_get_contents'))),
        refusal,
      ))
    test('signs a token that gets private updates', async () => {
      const file = await write('sign.php', `${snippet('PHP', 'php', 'setcookie')}\necho $token;`)
      const signed = (await run('php', file)).trim()
      const stream = await hub.subscribe('topic=*', { headers: { Cookie: `mercureAuthorization=${signed}` } })
      for (const user of [2, 1]) {
        const fields = { topic: `https://example.com/users/${user}/mail`, data: `${user}`, private: 'on' }
        await hub.post(new URLSearchParams(fields), { headers: { Authorization: `Bearer ${token}` } })
      }
      assert.equal((await stream.take())[0]?.data, '1')
      stream.close()
    })
    for (const { section, text } of page.snippets.filter(({ language }) => language === 'php')) {
      test(`${section}: ${text.split('\n')[2]}… is PHP`, async () => {
        await run('php', '-l', await write('snippet.php', text))
      })
    }
  })

  describe('with Node', () => {
    test('publishes', async () => {
      const { data, id, said } = await eventOf(
        process.execPath,
        await write('publish.mjs', snippet('Node', 'js', 'fetch')),
      )
      assert.deepEqual([data, said], [sold, `200 ${id}\n`])
    })
    test('shows a refusal', async () =>
      assert.match(
        await refusalOf(process.execPath, await write('publish.mjs', snippet('Node', 'js', 'fetch'))),
        refusal,
      ))
    test('subscribes', async () =>
      assertReceives(process.execPath, await write('subscribe.mjs', snippet('Node', 'js', 'EventSource'))))
  })

  describe('with Python', { skip: pythonMissing }, () => {
    test('publishes', async () => {
      const { data, id, said } = await eventOf(
        'python3',
        await write('publish.py', snippet('Python', 'python', 'Bearer')),
      )
      assert.deepEqual([data, said], [sold, `200 ${id}\n`])
    })
    test('shows a refusal, and no traceback', async () => {
      const said = await refusalOf('python3', await write('publish.py', snippet('Python', 'python', 'Bearer')))
      assert.match(said, refusal)
      assert.doesNotMatch(said, /Traceback/)
    })
    test('subscribes', async () =>
      assertReceives('python3', await write('subscribe.py', snippet('Python', 'python', 'while'))))
  })
})

/** Of each language, what reads it. Programs are run above. */
const readers: Readonly<Record<string, (text: string) => unknown>> = {
  yaml: text => parse(text),
  json: text => JSON.parse(text),
}

describe('what is configuration can be read', async () => {
  const documents = await readDocuments()
  const snippets: (Snippet & { path: string })[] = documents.flatMap(({ path, snippets }) =>
    snippets.map(one => ({ ...one, path })),
  )
  for (const { path, section, language, text } of snippets) {
    const read = readers[language]
    if (read !== undefined) test(`${path}: ${language} under "${section}"`, () => assert.ok(read(text)))
  }
})
