import type { Generation } from '../../src/protocol/generation.ts'
import { startHub, type TestHub } from './hub.ts'
import { signAccessToken, signToken, testIssuer } from './token.ts'

/** The origin whose pages may publish with a cookie. */
export const page = 'https://app.example'
export const mine = 'https://example.com/mine'
export const theirs = 'https://example.com/theirs'

/** What a publisher's token grants: every topic, `mine` alone, nothing but subscribing. */
export type Reach = 'wide' | 'narrow' | 'none'

export type PublisherTokens = Readonly<Record<Generation, Readonly<Record<Reach, string>>>>

/** A hub that takes publishers of both generations, and tokens of each reach. */
export async function startPublisherSite(
  maxBodyBytes: number,
): Promise<{ readonly hub: TestHub; readonly tokens: PublisherTokens }> {
  const hub = await startHub({
    issuers: [testIssuer],
    max_request_body_size: `${maxBodyBytes}`,
    publish_allowed_origins: [page],
    metrics_enabled: true,
    metrics_addr: '',
  })
  const access = (action: string, match: string) =>
    signAccessToken(hub.hubUrl, [{ actions: [action], topics: [{ match }] }])
  const tokens = {
    '0.x': {
      wide: await signToken({ mercure: { publish: ['*'] } }),
      narrow: await signToken({ mercure: { publish: [mine] } }),
      none: await signToken({ mercure: { subscribe: ['*'] } }),
    },
    '1.0': {
      wide: await access('publish', '*'),
      narrow: await access('publish', mine),
      none: await access('subscribe', '*'),
    },
  }
  return { hub, tokens }
}
