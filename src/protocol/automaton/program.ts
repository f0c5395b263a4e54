import { HubError } from '../../errors.ts'
import { type AsciiSet, hexDigits } from './ascii-set.ts'
import type { Expression } from './expression.ts'

/** Bounds of one program. Together with the bound on topics they keep a match within a few milliseconds, whatever the pattern. */
export const maxStates = 1024
export const maxEdges = 256

/** A move that consumes nothing, allowed at places that have all the contexts in `needs`. */
export interface Edge {
  readonly from: number
  readonly to: number
  readonly needs: number
}

/**
 * A nondeterministic automaton whose states are numbered so that consuming a character leads from a state to the next one:
 * a set of active states is a row of bits, and one step of all of them is a shift. State 0 is the first, the last is final.
 */
export interface Program {
  /** What each state but the final one consumes: a set, one UTF-16 code unit, or nothing (`null`). */
  readonly consumes: readonly (AsciiSet | number | null)[]
  /** The states that also remain active when they consume. */
  readonly stays: readonly number[]
  readonly edges: readonly Edge[]
}

/**
 * Rules of the layout. A part adds edges only out of states that no other part adds edges to leave by: two parts that begin in
 * the same state would lend each other their exits, and `(x*y)*` would match `x`. States that consume nothing keep them apart.
 * And what is repeated is left from its end only, never from its start: whoever follows edges relies on that.
 *
 * @throws HubError `matcher_too_complex`
 */
export function assemble(expression: Expression): Program {
  const consumes: (AsciiSet | number | null)[] = []
  const stays: number[] = []
  const edges: Edge[] = []

  function addState(consumed: AsciiSet | number | null): number {
    if (consumes.length === maxStates)
      throw tooComplex(
        `after its literal beginning it takes more than ${maxStates} characters, repetitions counted out`,
      )
    return consumes.push(consumed) - 1
  }

  function addEdge(from: number, to: number, needs = 0): void {
    if (edges.length === maxEdges)
      throw tooComplex(`its repetitions, alternatives and optional parts make more than ${maxEdges} branches`)
    edges.push({ from, to, needs })
  }

  function add(part: Expression): void {
    switch (part.kind) {
      case 'text':
        for (let i = 0; i < part.text.length; i++) addState(part.text.charCodeAt(i))
        return
      case 'one':
        addState(part.of)
        return
      case 'run':
        addRun(part.of, part.min)
        return
      case 'escapable run':
        addEscapableRun(part.of)
        return
      case 'sequence':
        for (const item of part.items) add(item)
        return
      case 'choice':
        addChoice(part.items)
        return
      case 'repeat':
        addRepeat(part.item, part.min, part.max)
        return
      case 'assertion': {
        const place = addState(null)
        addEdge(place, place + 1, part.at)
      }
    }
  }

  function addRun(consumed: AsciiSet | number, min: number): void {
    const place = addState(consumed)
    stays.push(place)
    if (min === 0) addEdge(place, place + 1)
  }

  function addEscapableRun(set: AsciiSet): void {
    const plain = addState(set)
    stays.push(plain)
    const percent = addState('%'.charCodeAt(0))
    addState(hexDigits)
    addState(hexDigits)
    const end = addState(null)
    addEdge(plain, percent)
    addEdge(plain, end)
    addEdge(end, plain)
    addEdge(end, end + 1)
  }

  function addChoice(items: readonly Expression[]): void {
    const start = addState(null)
    const ends: number[] = []
    items.forEach((item, index) => {
      addEdge(start, consumes.length)
      add(item)
      if (index < items.length - 1) ends.push(addState(null))
    })
    for (const end of ends) addEdge(end, consumes.length)
  }

  function addRepeat(item: Expression, min: number, max: number): void {
    const required = max === Infinity ? Math.max(min - 1, 0) : min
    for (let count = 0; count < required; count++) {
      const before = consumes.length
      add(item)
      // An item that is nothing may be repeated a billion times
      if (consumes.length === before) break
    }
    if (max !== Infinity) for (let count = min; count < max; count++) addOptional(item, add)
    else if (min > 0) addLoop(item)
    else addOptional(item, addLoop)
  }

  function addOptional(item: Expression, addItem: (item: Expression) => void): void {
    // A single state is left by no edge but this one
    const single = singleOf(item) !== null
    const start = single ? consumes.length : addState(null)
    if (!single) addEdge(start, start + 1)
    addItem(item)
    addEdge(start, consumes.length)
  }

  function addLoop(item: Expression): void {
    const single = singleOf(item)
    if (single !== null) {
      addRun(single, 1)
      return
    }
    const start = consumes.length
    add(item)
    const end = addState(null)
    addEdge(end, start)
    addEdge(end, consumes.length)
  }

  add(expression)
  return { consumes, stays, edges }
}

/** What an item consumes that is exactly one character. */
function singleOf(item: Expression): AsciiSet | number | null {
  if (item.kind === 'one') return item.of
  return item.kind === 'text' && item.text.length === 1 ? item.text.charCodeAt(0) : null
}

function tooComplex(reason: string): HubError {
  return new HubError('matcher_too_complex', `The pattern is too complex: ${reason}. Use a simpler or shorter one.`)
}
