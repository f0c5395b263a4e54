import type { Generation } from '../../protocol/generation.ts'
import type { KeySource } from '../tokens/keys.ts'
import { developmentSecret } from '../tokens/signing.ts'
import type { Role, VerifierOptions } from '../tokens/verify.ts'

/** Whoever knows the development secret signs tokens for these roles; the algorithm of each, where its key is that secret. */
export interface Signer {
  readonly generation: Generation
  /** Of 1.0. */
  readonly issuer: string | undefined
  readonly algorithms: { readonly [role in Role]: string | undefined }
}

export type TrustedKeys = Pick<VerifierOptions, 'legacy' | 'issuers' | 'protocol'>

/** The roles of this hub whose key is the development secret: everybody can sign their tokens anyway. */
export function findSigners({ legacy = {}, issuers, protocol }: TrustedKeys): readonly Signer[] {
  const old = protocol === '1.0' ? [] : [{ generation: '0.x' as const, issuer: undefined, roles: legacy }]
  const current = protocol === '0.x' ? [] : issuers
  return [...old, ...current.map(issuer => ({ generation: '1.0' as const, issuer: issuer.id, roles: issuer }))].map(
    ({ generation, issuer, roles: { publisher, subscriber } }) => ({
      generation,
      issuer,
      algorithms: { publisher: algorithmOf(publisher), subscriber: algorithmOf(subscriber) },
    }),
  )
}

const algorithmOf = (source: KeySource | undefined): string | undefined =>
  source !== undefined && 'key' in source && source.key === developmentSecret ? source.algorithm : undefined

/** The roles that somebody can sign for, in a generation. */
export function mintable(signers: readonly Signer[], generation: Generation): { publish: boolean; subscribe: boolean } {
  const can = (role: Role) =>
    signers.some(signer => signer.generation === generation && signer.algorithms[role] !== undefined)
  return { publish: can('publisher'), subscribe: can('subscriber') }
}

/** Who signs one token for all of these roles, and by which algorithm; `undefined`: nobody. */
export function chooseSigner(signers: readonly Signer[], generation: Generation, roles: readonly Role[]) {
  for (const { generation: of, issuer, algorithms } of signers) {
    const [algorithm, other = algorithm] = roles.map(role => algorithms[role])
    if (of === generation && algorithm !== undefined && algorithm === other) return { issuer, algorithm }
  }
  return undefined
}
