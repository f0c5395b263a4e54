import { quote } from '../../errors.ts'
import type { Claims } from '../../protocol/grant.ts'
import type { Token } from './token.ts'

/**
 * Why a token that counts as one of 0.x, by its `typ`, was rather meant as an access token of 1.0; `undefined`: nothing tells. Its claims may be
 * unproven: this is for those who are refused anyway, and decides nothing.
 */
export function doubtOf(
  { generation, header }: Token,
  { iss, authorization_details: details }: Claims,
  isTrusted: (issuer: unknown) => boolean,
): string | undefined {
  if (generation !== '0.x') return undefined
  const typ = header.typ === undefined ? 'it has none' : `it has ${quote(header.typ, 40)}`
  if (details !== undefined) return `It has authorization_details: for that its typ must be "at+jwt", and ${typ}.`
  if (isTrusted(iss))
    return `It is of an issuer of access tokens of 1.0: for that its typ must be "at+jwt", and ${typ}.`
  return undefined
}

/** What to do about a refusal, where it is also in doubt what the token was meant as. */
export const mendOf = (doubt: string | undefined, mend: string): string =>
  doubt === undefined
    ? mend
    : `${doubt} If it is meant as a token of 0.x: ${mend.charAt(0).toLowerCase()}${mend.slice(1)}`
