import { type AsciiSet, anyCharacter, hexDigits } from './ascii-set.ts'
import { createAutomaton, type Recognise } from './automaton.ts'
import type { Expression } from './expression.ts'
import { assemble } from './program.ts'

/** A compiled expression. Immutable. */
export interface Language {
  /** Every text of ASCII characters is a member. */
  readonly everything: boolean
  /** What every member begins with; may be empty. */
  readonly prefix: string
  /** The longest of the literals that every member has after the prefix; may be empty. */
  readonly literal: string
  /** The prefix is the only member. */
  readonly single: boolean
  /** The memory that it holds, roughly, in bytes. */
  readonly weight: number
  /** Linear in the text, whatever the expression. */
  has(text: string): boolean
}

/** @throws HubError `matcher_too_complex` */
export function compileLanguage(expression: Expression): Language {
  const items = flatten(expression)
  const prefix = items[0]?.kind === 'text' ? items[0].text : ''
  const rest = prefix === '' ? items : items.slice(1)
  if (rest.length === 0) {
    return { everything: false, prefix, literal: '', single: true, weight: prefix.length, has: text => text === prefix }
  }

  const literals = rest.map(item => (item.kind === 'text' ? item.text : ''))
  const literal = literals.reduce((longest, text) => (text.length > longest.length ? text : longest))
  const everything = prefix === '' && rest.length === 1 && isAnything(rest[0]!)
  const { recognise, weight } = compileRest(rest)
  const has: Language['has'] =
    prefix === '' ? text => recognise(text, 0) : text => text.startsWith(prefix) && recognise(text, prefix.length)
  return { everything, prefix, literal, single: false, weight: prefix.length + weight, has }
}

function compileRest(items: readonly Expression[]): { recognise: Recognise; weight: number } {
  const steps = toSteps(items)
  if (steps) return { recognise: walk(steps), weight: items.length * 16 }
  const openEnded = isAnything(items.at(-1)!)
  return createAutomaton(assemble({ kind: 'sequence', items: openEnded ? items.slice(0, -1) : items }), openEnded)
}

function isAnything(item: Expression): boolean {
  return item.kind === 'run' && item.of === anyCharacter && item.min === 0
}

/** The items of nested sequences in one row, with neighbouring texts joined. */
function flatten(expression: Expression): Expression[] {
  const items: Expression[] = []
  function add(item: Expression): void {
    if (item.kind === 'sequence') {
      item.items.forEach(add)
      return
    }
    const last = items.at(-1)
    if (item.kind === 'text' && last?.kind === 'text')
      items[items.length - 1] = { kind: 'text', text: last.text + item.text }
    else if (item.kind !== 'text' || item.text !== '') items.push(item)
  }
  add(expression)
  return items
}

/** A run and the literal after it, which is empty at the end. */
interface Step {
  readonly of: AsciiSet
  readonly min: number
  readonly escapes: boolean
  readonly literal: string
}

/**
 * Most patterns are runs between literals where no run can swallow the beginning of the literal after it, like `/books/:id/reviews`:
 * each run then ends at one place only, and no automaton is needed. `null` for the others.
 */
function toSteps(items: readonly Expression[]): Step[] | null {
  const steps: Step[] = []
  for (let i = 0; i < items.length; i += 2) {
    const run = items[i]!
    const literal = items[i + 1]
    if (run.kind !== 'run' && run.kind !== 'escapable run') return null
    if (literal !== undefined && literal.kind !== 'text') return null
    const escapes = run.kind === 'escapable run'
    const next = literal?.text ?? ''
    if (next !== '' && (run.of[next.charCodeAt(0)] === 1 || (escapes && next.startsWith('%')))) return null
    steps.push({ of: run.of, min: escapes ? 0 : run.min, escapes, literal: next })
  }
  return steps
}

function walk(steps: readonly Step[]): Recognise {
  return (text, from) => {
    let place = from
    for (const step of steps) {
      const end = step.of === anyCharacter && step.literal === '' ? text.length : endOfRun(text, place, step)
      if (end - place < step.min || !text.startsWith(step.literal, end)) return false
      place = end + step.literal.length
    }
    return place === text.length
  }
}

function endOfRun(text: string, from: number, { of, escapes }: Step): number {
  let place = from
  for (;;) {
    while (place < text.length && of[text.charCodeAt(place)] === 1) place++
    const escaped = escapes && place + 2 < text.length && text[place] === '%'
    if (!escaped || !isHexadecimal(text, place + 1) || !isHexadecimal(text, place + 2)) return place
    place += 3
  }
}

function isHexadecimal(text: string, index: number): boolean {
  return hexDigits[text.charCodeAt(index)] === 1
}
