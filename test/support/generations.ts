import { type Settings, startHub, type TestHub } from './hub.ts'
import { testIssuer } from './token.ts'

/** The page that may publish with a cookie. */
export const page = 'https://app.example'

const settings = {
  both: { issuers: [testIssuer] },
  'both, and anonymous subscribers are refused': { issuers: [testIssuer], allow_anonymous: false },
  '0.x keys only': {},
  'issuers only': { issuers: [testIssuer], jwt_key: undefined },
  'pinned to 0.x': { issuers: [testIssuer], protocol: '0.x' },
  'pinned to 1.0': { issuers: [testIssuer], protocol: '1.0' },
} satisfies Record<string, Settings>

export type HubName = keyof typeof settings

/** One hub of each kind, by the generations that it speaks. */
export interface Hubs extends Readonly<Record<HubName, TestHub>> {
  close(): Promise<void>
}

export async function startHubs(): Promise<Hubs> {
  const names = Object.keys(settings) as HubName[]
  const hubs = await Promise.all(
    names.map(name => startHub({ subscriptions: true, publish_allowed_origins: [page], ...settings[name] })),
  )
  const byName = Object.fromEntries(names.map((name, index) => [name, hubs[index]])) as Record<HubName, TestHub>
  return {
    ...byName,
    async close() {
      for (const hub of hubs) await hub.close()
    },
  }
}

export const post = (hub: TestHub, fields: string | Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(hub.hubUrl, { method: 'POST', headers, body: new URLSearchParams(fields) })
