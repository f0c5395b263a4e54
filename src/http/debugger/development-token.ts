import { createSecretKey } from 'node:crypto'
import type { Handler } from 'hono'
import * as z from 'zod'
import { HubError } from '../../errors.ts'
import type { Environment } from '../context.ts'
import { readJson } from '../json-body.ts'
import type { Authenticator } from '../tokens/authenticate.ts'
import { claimsOf, headerOf, signToken } from '../tokens/mint.ts'
import { developmentSecret } from '../tokens/signing.ts'
import type { Role } from '../tokens/verify.ts'
import { answerJson } from './json.ts'
import { chooseSigner, type Signer } from './signers.ts'

const text = z.string().max(4096)
const topics = z
  .array(z.union([text, z.strictObject({ match: text, match_type: z.literal('urlpattern') })]))
  .max(1000)
  .default([])
const shape = z.strictObject({
  generation: z.enum(['0.x', '1.0']),
  publish: topics,
  subscribe: topics,
  payload: z.json().optional(),
  ttlSeconds: z.int().min(1).max(31_536_000).default(3600),
})

const key = createSecretKey(Buffer.from(developmentSecret))

/** `POST debug/token`: a token signed with the secret that everybody knows, where this hub accepts it. */
export function developmentTokenHandler(
  authenticator: Authenticator,
  signers: readonly Signer[],
): Handler<Environment> {
  return async c => {
    const { generation, publish, subscribe, payload, ttlSeconds } = await readJson(c, shape)
    if (generation === '0.x' && [...publish, ...subscribe].some(topic => typeof topic !== 'string')) {
      throw new HubError('body_malformed', 'The body: tokens of 0.x grant topics and URI Templates, as texts.')
    }
    const roles = rolesOf(publish.length > 0, subscribe.length > 0)
    const signer = chooseSigner(signers, generation, roles)
    if (signer === undefined) throw notMintable(generation, roles)
    const issuedAt = Math.floor(Date.now() / 1000)
    const claims = claimsOf(generation, {
      ...{ publish, subscribe, payload, issuedAt },
      expiresAt: issuedAt + ttlSeconds,
      ...(generation === '1.0' && { iss: signer.issuer, aud: authenticator.resourceOf(c.get('request')) }),
    })
    return answerJson(c, { token: await signToken(headerOf(generation, signer.algorithm), claims, key) })
  }
}

/** One that grants nothing is a subscriber's: it shows public updates. */
const rolesOf = (publishes: boolean, subscribes: boolean): Role[] => [
  ...(publishes ? (['publisher'] as const) : []),
  ...(subscribes || !publishes ? (['subscriber'] as const) : []),
]

const notMintable = (generation: string, roles: readonly Role[]): HubError =>
  new HubError(
    'not_found',
    `This hub does not verify ${generation} tokens of a ${roles.join(' and ')} with the well-known development secret, so none can be minted here: see talaria token.`,
  )
