import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { startHub, type TestHub } from '../support/hub.ts'
import { documentOf, encodeSegment, subscriptionsPath } from '../support/subscriptions.ts'
import { signAccessToken, testIssuer } from '../support/token.ts'

suite('a presence channel of Laravel Echo', () => {
  /** The URL Pattern of a channel's subscription events: absolute, with the hub's own URL, and as the library now has it. */
  const addresses: { name: string; base: (hub: TestHub) => string; settings?: object }[] = [
    { name: 'an absolute pattern, no pinned identifier', base: hub => hub.url },
    { name: 'a relative pattern, no pinned identifier', base: () => '' },
  ]
  for (const { name, base } of addresses) {
    test(name, async () => {
      const page = 'https://app.example'
      await using hub = await startHub({
        protocol: '1.0',
        issuers: [testIssuer],
        subscriptions: true,
        allow_anonymous: false,
        cors_allowed_origins: [page],
        publish_allowed_origins: [page],
      })
      const channel = 'https://laravel.alt/echo/channel/presence-chat%28room%29'
      const whispers = 'https://laravel.alt/echo/whisper/presence-chat%28room%29'
      const cookieOf = async (user: object) => {
        const token = await signAccessToken(hub.hubUrl, [
          {
            actions: ['subscribe'],
            topics: [
              { match: channel },
              {
                match: `${base(hub)}${subscriptionsPath}/:match_type/${encodeSegment(channel)}{/:subscriber}?`,
                match_type: 'urlpattern',
              },
            ],
            payload: user,
          },
          { actions: ['subscribe', 'publish'], topics: [{ match: whispers }] },
        ])
        return { Cookie: `__Secure-mercure_access_token=${token}`, Origin: page }
      }
      const open = async (headers: Record<string, string>) => {
        const query = new URLSearchParams([
          ['match', channel],
          ['match_urlpattern', `${base(hub)}${subscriptionsPath}/:match_type/${encodeSegment(channel)}/:subscriber`],
        ])
        const stream = await hub.subscribe(`${query}`, { headers })
        assert.equal(stream.response.headers.get('access-control-allow-origin'), page)
        assert.equal(stream.response.headers.get('access-control-allow-credentials'), 'true')
        return stream
      }
      /** What the library takes for a member. */
      const memberOf = (document: Record<string, unknown>) => {
        const { match, match_type, subscriber, active, payload } = document
        assert.equal(typeof subscriber, 'string')
        return match === channel && match_type === 'exact' ? { active, payload } : undefined
      }
      const membersIn = async (headers: Record<string, string>) => {
        const response = await hub.fetch(`${subscriptionsPath}/exact/${encodeSegment(channel)}`, { headers })
        const { subscriptions } = (await response.json()) as { subscriptions: Record<string, unknown>[] }
        return subscriptions.map(memberOf)
      }

      const ann = await cookieOf({ user_id: 1, user_info: { name: 'Ann' } })
      const bob = await cookieOf({ user_id: 2, user_info: { name: 'Bob' } })
      const annStream = await open(ann)
      const annMember = { active: true, payload: { user_id: 1, user_info: { name: 'Ann' } } }
      const bobMember = { active: true, payload: { user_id: 2, user_info: { name: 'Bob' } } }
      assert.deepEqual(await membersIn(ann), [annMember])
      const [arrival] = await annStream.take()
      assert.equal(arrival?.event, 'mercure')
      assert.deepEqual(memberOf(documentOf(arrival)), annMember)

      const bobStream = await open(bob)
      const [bobArrival] = await annStream.take()
      assert.deepEqual(memberOf(documentOf(bobArrival)), bobMember)
      assert.deepEqual(await membersIn(bob), [annMember, bobMember])

      const whispered = await hub.subscribe(`match=${encodeSegment(whispers)}`, { headers: bob })
      const whisper = new URLSearchParams({ topic: whispers, data: '{"event":"client-typing"}', private: 'on' })
      const headers = { ...ann, Authorization: undefined } as unknown as Record<string, string>
      const sent = await fetch(hub.hubUrl, {
        method: 'POST',
        body: whisper,
        headers: { Cookie: headers.Cookie!, Origin: page },
      })
      assert.equal(sent.status, 200)
      assert.equal((await whispered.take())[0]?.data, '{"event":"client-typing"}')
      const forged = new URLSearchParams({ topic: channel, data: '{}', private: 'on' })
      const refused = await fetch(hub.hubUrl, {
        method: 'POST',
        body: forged,
        headers: { Cookie: headers.Cookie!, Origin: page },
      })
      assert.equal(refused.status, 403)

      bobStream.close()
      const [departure] = await annStream.take()
      assert.deepEqual(memberOf(documentOf(departure)), { ...bobMember, active: false })
      assert.deepEqual(await membersIn(ann), [annMember])
    })
  }
})
