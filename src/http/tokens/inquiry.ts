import { HubError } from '../../errors.ts'

/** A rule that was asked by itself. */
export interface Check {
  readonly check:
    | 'credential'
    | 'form'
    | 'trust'
    | 'algorithm'
    | 'signature'
    | 'times'
    | 'audience'
    | 'claims'
    | 'revocation'
    | 'action'
  readonly ok: boolean
  /** What was found, in a sentence. */
  readonly says: string
  /** What to change, and where; `null`: nothing, or `says` tells. */
  readonly mend: string | null
}

/** Asks rules one after the other, though one before is broken, and keeps what they say. */
export class Inquiry {
  readonly checks: Check[] = []

  /** What a rule gives; `undefined`: it is broken. Any error but a refusal is a defect, and thrown. */
  async ask<T>(check: Check['check'], rule: () => T | Promise<T>, found: (value: T) => string): Promise<T | undefined> {
    const result = await attempt(rule)
    if (result instanceof HubError) {
      this.checks.push({ check, ok: false, says: result.says, mend: result.mend ?? null })
      return undefined
    }
    this.checks.push({ check, ok: true, says: found(result), mend: null })
    return result
  }

  /** Says first, of the last check, what the mistake was. */
  explainLast(mistake: string): void {
    const last = this.checks.pop()
    if (last === undefined) return
    const mend = last.check === 'algorithm' && last.mend !== null ? `${mistake} ${last.mend}` : mistake
    this.checks.push({ ...last, mend })
  }
}

/** The refusal itself, where there is one. */
export async function attempt<T>(rule: () => T | Promise<T>): Promise<T | HubError> {
  try {
    return await rule()
  } catch (error) {
    if (error instanceof HubError) return error
    throw error
  }
}
