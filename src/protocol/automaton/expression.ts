import type { AsciiSet } from './ascii-set.ts'

/**
 * A regular language as data: what URL Patterns and URI Templates have in common once they are parsed.
 * Whatever it holds, `compileLanguage` decides membership in time linear in the text.
 */
export type Expression =
  | { readonly kind: 'text'; readonly text: string }
  /** One character. */
  | { readonly kind: 'one'; readonly of: AsciiSet }
  /** Any number of characters, at least `min`. */
  | { readonly kind: 'run'; readonly of: AsciiSet; readonly min: 0 | 1 }
  /** Any number of characters and percent-encoded triples, in any order. */
  | { readonly kind: 'escapable run'; readonly of: AsciiSet }
  | { readonly kind: 'sequence'; readonly items: readonly Expression[] }
  | { readonly kind: 'choice'; readonly items: readonly Expression[] }
  /** `max` may be `Infinity`. */
  | { readonly kind: 'repeat'; readonly item: Expression; readonly min: number; readonly max: number }
  /** Matches the empty text at a place; `at` is one of the contexts below. */
  | { readonly kind: 'assertion'; readonly at: number }

/** What is true of a place in the text: bits that assertions ask for. */
export const textStart = 1
export const textEnd = 2
export const wordBoundary = 4
export const noWordBoundary = 8
export const contextCount = 16

export function text(value: string): Expression {
  return { kind: 'text', text: value }
}

export function sequence(...items: readonly Expression[]): Expression {
  return { kind: 'sequence', items }
}

export function optional(item: Expression): Expression {
  return { kind: 'repeat', item, min: 0, max: 1 }
}
