import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Page } from 'playwright-core'
import { createCertificate } from '../support/certificate.ts'
import { openChromium } from '../support/chromium.ts'
import { startHub, type TestHub } from '../support/hub.ts'
import { fetchIn } from '../support/page-fetch.ts'
import { listenIn, type ReceivedEvent, type Reception } from '../support/reception.ts'
import { startSite } from '../support/site.ts'
import { signAccessToken, testIssuer } from '../support/token.ts'

// Laravel 13 with Echo in real browsers: TLS, a cookie of 1.0, pages of another origin than the hub's, two streams a page.
const chromium = await openChromium()
const certificate = await createCertificate()
const site = await startSite({ certificate })
after(() => Promise.all([chromium.close(), site[Symbol.asyncDispose](), certificate[Symbol.asyncDispose]()]))

const skip = chromium.missing
const prefix = 'https://laravel.alt/echo/'
/** RFC 3986, as PHP's rawurlencode does it. */
const encode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
const channelTopic = (name: string) => `${prefix}channel/${encode(name)}`
const whisperTopic = (name: string) => `${prefix}whisper/${encode(name)}`
const subscriptions = '/.well-known/mercure/subscriptions'
const room = 'presence-chat room (1)'
const credentials = { withCredentials: true }

const startLaravelHub = () =>
  startHub({
    cert_file: certificate.certFile,
    key_file: certificate.keyFile,
    issuers: [testIssuer],
    subscriptions: true,
    allow_anonymous: false,
    cors_allowed_origins: [site.origin],
    publish_allowed_origins: [site.origin],
  })

/** What `/broadcasting/auth` grants to a member of every channel; `undefined`: to somebody whom no channel lets in. */
const grantsOf = (member: object | undefined) =>
  member === undefined
    ? []
    : [
        { actions: ['subscribe'], topics: [{ match: channelTopic('private-orders.1') }] },
        {
          actions: ['subscribe'],
          topics: [
            { match: channelTopic(room) },
            {
              match: `${subscriptions}/:match_type/${encode(channelTopic(room))}{/:subscriber}?`,
              match_type: 'urlpattern',
            },
          ],
          payload: member,
        },
        {
          actions: ['subscribe', 'publish'],
          topics: [{ match: whisperTopic('private-orders.1') }, { match: whisperTopic(room) }],
        },
      ]

/** A browser of its own that has the cookie of a user. */
async function openPage(hub: TestHub, member: object | undefined, claims: Record<string, unknown> = {}) {
  const page = await chromium.openPage()
  const value = await signAccessToken(hub.hubUrl, grantsOf(member), claims)
  const cookie = { name: '__Secure-mercure_access_token', value, domain: '127.0.0.1', path: '/.well-known/mercure' }
  await page.context().addCookies([{ ...cookie, httpOnly: true, secure: true, sameSite: 'Strict' }])
  await page.goto(site.origin)
  return { page, [Symbol.asyncDispose]: () => page.close() }
}

/** The same with the two streams that Echo opens. */
async function join(hub: TestHub, member: object | undefined) {
  const visitor = await openPage(hub, member)
  const main = new URLSearchParams()
  for (const name of ['orders', 'private-orders.1', room]) main.append('match', channelTopic(name))
  main.append('match_urlpattern', `${subscriptions}/:match_type/${encode(channelTopic(room))}/:subscriber`)
  const updates = await listenIn(visitor.page, `${hub.hubUrl}?${main}`, { ...credentials, types: ['mercure'] })
  const whispers = new URLSearchParams({ match: whisperTopic(room) })
  const whispered = await listenIn(visitor.page, `${hub.hubUrl}?${whispers}`, credentials)
  await Promise.all([updates.untilOpened(), whispered.untilOpened()])
  return { ...visitor, updates, whispered }
}

type Visitor = Awaited<ReturnType<typeof join>>

/** The members of the room, as Echo reads them when its stream is open. */
async function readMembers(page: Page, hub: TestHub): Promise<unknown[]> {
  const answer = await fetchIn(page, `${hub.hubUrl}/subscriptions/exact/${encode(channelTopic(room))}`)
  assert.equal(answer?.status, 200, answer?.text ?? 'withheld')
  const list: { active: boolean; payload?: unknown }[] = JSON.parse(answer.text).subscriptions
  return list.filter(({ active, payload }) => active && payload != null).map(({ payload }) => payload)
}

/** Who came or went, as Echo reads it: only members of the room have a payload. */
function readPresence({ type, data }: ReceivedEvent) {
  assert.equal(type, 'mercure')
  const { match, match_type, subscriber, active, payload } = JSON.parse(data)
  assert.match(subscriber, /^urn:uuid:/)
  return { match, match_type, active, payload }
}

const nextPresence = async ({ updates }: Visitor) => (await updates.take()).map(readPresence)
const nextData = async (received: Reception) => (await received.take()).map(({ data }) => data)

const whisper = (page: Page, hub: TestHub, topic: string, data: string) =>
  fetchIn(page, hub.hubUrl, { method: 'POST', form: { topic, data, private: 'on' } })

const ada = { id: 1, name: 'Ada' }
const bob = { id: 2, name: 'Bob' }

test('Laravel Echo in Chromium: who is in the room, who joins, who leaves', { skip }, async () => {
  await using hub = await startLaravelHub()
  const about = { match: channelTopic(room), match_type: 'exact' }
  await using first = await join(hub, ada)
  assert.deepEqual(await nextPresence(first), [{ ...about, active: true, payload: ada }])
  assert.deepEqual(await readMembers(first.page, hub), [ada])

  const second = await join(hub, bob)
  assert.deepEqual(await nextPresence(first), [{ ...about, active: true, payload: bob }])
  assert.deepEqual(await readMembers(second.page, hub), [ada, bob])

  const stranger = await join(hub, undefined)
  assert.deepEqual(await nextPresence(first), [{ ...about, active: true, payload: undefined }])
  assert.deepEqual(await readMembers(first.page, hub), [ada, bob])
  const path = `/subscriptions/exact/${encode(channelTopic(room))}`
  assert.equal((await fetchIn(stranger.page, hub.hubUrl + path))?.status, 403)

  await second.page.close()
  assert.deepEqual(await nextPresence(first), [{ ...about, active: false, payload: bob }])
  await stranger.page.close()
  assert.deepEqual(await nextPresence(first), [{ ...about, active: false, payload: undefined }])
  assert.deepEqual(await readMembers(first.page, hub), [ada])
  assert.deepEqual(stranger.updates.events, [])
})

test('Laravel Echo in Chromium: what the server broadcasts, to members and to others', { skip }, async () => {
  await using hub = await startLaravelHub()
  await using member = await join(hub, ada)
  await nextPresence(member)
  await using stranger = await join(hub, undefined)
  await nextPresence(member)
  const forAll = JSON.stringify({ channels: ['orders'], event: 'OrderShipped', payload: { id: 1 } })
  const forMembers = JSON.stringify({ channels: ['private-orders.1'], event: 'OrderShipped', payload: { id: 1 } })
  await hub.publish({ topic: channelTopic('private-orders.1'), data: forMembers, private: 'on' })
  await hub.publish({ topic: [channelTopic('orders'), channelTopic('news')], data: forAll })
  assert.deepEqual(await nextData(member.updates), [forMembers])
  assert.deepEqual(await nextData(member.updates), [forAll])
  assert.deepEqual(await nextData(stranger.updates), [forAll])
})

test('Laravel Echo in Chromium: whispers go from page to page, and nowhere else', { skip }, async () => {
  await using hub = await startLaravelHub()
  await using first = await join(hub, ada)
  await using second = await join(hub, bob)
  await using stranger = await join(hub, undefined)
  const typing = JSON.stringify({ channels: [room], event: 'client-typing', payload: {}, socket: 'x' })
  assert.equal((await whisper(first.page, hub, whisperTopic(room), typing))?.status, 200)
  assert.deepEqual(await nextData(second.whispered), [typing])
  assert.deepEqual(await nextData(first.whispered), [typing])
  const forged = await whisper(first.page, hub, channelTopic(room), typing)
  assert.equal(forged?.status, 403)
  assert.match(forged.text, /^topic_not_granted: /)
  assert.equal((await whisper(stranger.page, hub, whisperTopic(room), typing))?.status, 403)
  assert.deepEqual(stranger.whispered.events, [])
})

test('Laravel Echo in Chromium: a cookie that has expired is refused, so that it asks for another', {
  skip,
}, async () => {
  await using hub = await startLaravelHub()
  await using visitor = await openPage(hub, ada, { exp: Math.floor(Date.now() / 1000) - 1 })
  const received = await listenIn(visitor.page, `${hub.hubUrl}?match=${encode(channelTopic('orders'))}`, credentials)
  await received.untilClosed()
  const answer = await whisper(visitor.page, hub, whisperTopic(room), '{}')
  assert.equal(answer?.status, 401)
  assert.match(answer.text, /^token_expired: /)
})
