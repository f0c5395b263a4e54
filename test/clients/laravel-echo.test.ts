import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { EventSourceMessage } from 'eventsource-parser'
import { startHub, type TestHub } from '../support/hub.ts'
import { documentOf, encodeSegment, subscriptionsPath } from '../support/subscriptions.ts'
import { signAccessToken, testIssuer } from '../support/token.ts'

const page = 'https://app.example'
const channel = 'https://laravel.alt/echo/channel/presence-chat%28room%29'
const whispers = 'https://laravel.alt/echo/whisper/presence-chat%28room%29'

/** One who has joined the channel: a browser with the cookie that the application gave it. */
class Member {
  readonly #hub: TestHub
  readonly #headers: Record<string, string>
  /** How URL Patterns begin that select subscriptions: with the hub's origin, or with nothing. */
  readonly #base: string

  static async join(hub: TestHub, base: string, user: object): Promise<Member> {
    const pattern = `${base}${subscriptionsPath}/:match_type/${encodeSegment(channel)}{/:subscriber}?`
    const token = await signAccessToken(hub.hubUrl, [
      {
        actions: ['subscribe'],
        topics: [{ match: channel }, { match: pattern, match_type: 'urlpattern' }],
        payload: user,
      },
      { actions: ['subscribe', 'publish'], topics: [{ match: whispers }] },
    ])
    return new Member(hub, base, token)
  }

  private constructor(hub: TestHub, base: string, token: string) {
    this.#hub = hub
    this.#base = base
    this.#headers = { Cookie: `__Secure-mercure_access_token=${token}`, Origin: page }
  }

  /** Opens the stream of the channel's updates and of who comes and goes. */
  async open() {
    const pattern = `${this.#base}${subscriptionsPath}/:match_type/${encodeSegment(channel)}/:subscriber`
    return await this.#subscribe([
      ['match', channel],
      ['match_urlpattern', pattern],
    ])
  }

  listenForWhispers() {
    return this.#subscribe([['match', whispers]])
  }

  async #subscribe(matchers: string[][]) {
    const stream = await this.#hub.subscribe(`${new URLSearchParams(matchers)}`, { headers: this.#headers })
    this.#assertReadable(stream.response)
    return stream
  }

  /** The snapshot from which the list of members starts. */
  async members(): Promise<unknown[]> {
    const path = `${subscriptionsPath}/exact/${encodeSegment(channel)}`
    const response = await this.#hub.fetch(path, { headers: this.#headers })
    this.#assertReadable(response)
    assert.equal(response.status, 200)
    const { subscriptions } = (await response.json()) as { subscriptions: Record<string, unknown>[] }
    return subscriptions.map(readMember)
  }

  publish(topic: string, data: string): Promise<Response> {
    const body = new URLSearchParams({ topic, data, private: 'on' })
    return fetch(this.#hub.hubUrl, { method: 'POST', headers: this.#headers, body })
  }

  /** As the browser sees it, with credentials, from another origin. */
  #assertReadable({ headers }: Response): void {
    assert.equal(headers.get('access-control-allow-origin'), page)
    assert.equal(headers.get('access-control-allow-credentials'), 'true')
  }
}

/** What the library reads of a subscription. */
function readMember({ match, match_type, subscriber, active, payload }: Record<string, unknown>): object {
  assert.equal(match, channel)
  assert.equal(match_type, 'exact')
  assert.equal(typeof subscriber, 'string')
  return { active, payload }
}

function readEvent(event: EventSourceMessage | undefined): object {
  assert.equal(event?.event, 'mercure')
  return readMember(documentOf(event))
}

suite('a presence channel of Laravel Echo', () => {
  const addresses: { name: string; base: (hub: TestHub) => string }[] = [
    { name: "patterns with the hub's own origin, which is not configured anywhere", base: hub => hub.url },
    { name: 'relative patterns', base: () => '' },
  ]
  for (const { name, base } of addresses) {
    test(name, async () => {
      await using hub = await startHub({
        protocol: '1.0',
        issuers: [testIssuer],
        subscriptions: true,
        allow_anonymous: false,
        cors_allowed_origins: [page],
        publish_allowed_origins: [page],
      })
      const ann = { active: true, payload: { user_id: 1, user_info: { name: 'Ann' } } }
      const bob = { active: true, payload: { user_id: 2, user_info: { name: 'Bob' } } }

      const one = await Member.join(hub, base(hub), ann.payload)
      const stream = await one.open()
      assert.deepEqual(await one.members(), [ann])
      assert.deepEqual(readEvent((await stream.take())[0]), ann)

      const other = await Member.join(hub, base(hub), bob.payload)
      const otherStream = await other.open()
      assert.deepEqual(readEvent((await stream.take())[0]), bob)
      assert.deepEqual(await other.members(), [ann, bob])

      const whispered = await other.listenForWhispers()
      assert.equal((await one.publish(whispers, '{"event":"client-typing"}')).status, 200)
      assert.equal((await whispered.take())[0]?.data, '{"event":"client-typing"}')
      assert.equal((await one.publish(channel, '{"event":"forged"}')).status, 403)

      otherStream.close()
      assert.deepEqual(readEvent((await stream.take())[0]), { ...bob, active: false })
      assert.deepEqual(await one.members(), [ann])
    })
  }
})
