import { type AsciiSet, asciiSize, wordCharacters } from './ascii-set.ts'
import { contextCount, noWordBoundary, textEnd, textStart, wordBoundary } from './expression.ts'
import type { Edge, Program } from './program.ts'

/** Tells whether the text from an offset to its end is in the language. Linear in the text: one step per UTF-16 code unit. */
export type Recognise = (text: string, from: number) => boolean

/**
 * Runs a program on all its active states at once, as bits. `openEnded`: whatever follows a match is accepted.
 *
 * Before each character the edges are followed: forward ones in the order of the states, then those that lead back, then the
 * forward ones again. That is enough: a part is entered at its start and left at its end only, so a way back never opens another.
 */
export function createAutomaton(program: Program, openEnded: boolean): { recognise: Recognise; weight: number } {
  const words = (program.consumes.length >> 5) + 1
  const table = createTable(program, words)
  const edges = [...program.edges].sort((a, b) => a.from - b.from)
  const forward = edges.filter(edge => edge.to > edge.from)
  const back = edges.filter(edge => edge.to <= edge.from)
  const contextual = edges.some(edge => edge.needs !== 0)
  const stays = new Int32Array(words)
  for (const state of program.stays) setBit(stays, state)
  const parts = { table, stays, forward, back, contextual, openEnded, final: program.consumes.length }
  return {
    recognise: words === 1 ? recogniseInOneWord(parts) : recogniseInWords(parts, words),
    weight: 4 * table.consumers.length + 16 * edges.length,
  }
}

interface Parts {
  readonly table: Table
  readonly stays: Int32Array
  readonly forward: readonly Edge[]
  readonly back: readonly Edge[]
  readonly contextual: boolean
  readonly openEnded: boolean
  readonly final: number
}

/** Characters in classes that the program cannot tell apart, and for each class the states that consume it. */
interface Table {
  readonly classOf: Uint8Array
  /** Classes of code units outside ASCII. Any other such unit is in class 0, which no state consumes. */
  readonly foreign: ReadonlyMap<number, number>
  readonly consumers: Int32Array
}

function createTable(program: Program, words: number): Table {
  const { classOf, foreign, count } = partition(program)
  const consumers = new Int32Array(count * words)
  const representatives = new Int32Array(count).fill(-1)
  for (let code = 0; code < asciiSize; code++) representatives[classOf[code]!] = code
  program.consumes.forEach((consumed, state) => {
    if (consumed === null) return
    if (typeof consumed === 'number') {
      const index = consumed < asciiSize ? classOf[consumed]! : foreign.get(consumed)!
      setBit(consumers, index * words * 32 + state)
      return
    }
    for (let index = 1; index < count; index++)
      if (consumed[representatives[index]!] === 1) setBit(consumers, index * words * 32 + state)
  })
  return { classOf, foreign, consumers }
}

/** Cuts the classes, at first one of all ASCII, along every set that a state consumes. */
function partition({ consumes }: Program): { classOf: Uint8Array; foreign: Map<number, number>; count: number } {
  const classOf = new Uint8Array(asciiSize).fill(1)
  const sizes = [0, asciiSize]
  const foreign = new Map<number, number>()

  function cut(set: AsciiSet): void {
    const inside = new Uint8Array(sizes.length)
    for (let code = 0; code < asciiSize; code++) if (set[code] === 1) inside[classOf[code]!]!++
    const innerOf = inside.map((count, index) => (count > 0 && count < sizes[index]! ? split(index, count) : index))
    for (let code = 0; code < asciiSize; code++) if (set[code] === 1) classOf[code] = innerOf[classOf[code]!]!
  }

  function split(index: number, count: number): number {
    sizes[index]! -= count
    return sizes.push(count) - 1
  }

  const distinct = [...new Set(consumes)]
  for (const consumed of distinct) {
    if (typeof consumed === 'object' && consumed !== null) cut(consumed)
    else if (consumed !== null && consumed < asciiSize && sizes[classOf[consumed]!]! > 1)
      classOf[consumed] = split(classOf[consumed]!, 1)
  }
  let count = sizes.length
  for (const consumed of distinct)
    if (typeof consumed === 'number' && consumed >= asciiSize) foreign.set(consumed, count++)
  return { classOf, foreign, count }
}

function setBit(bits: Int32Array, index: number): void {
  bits[index >> 5]! |= 1 << (index & 31)
}

function contextAt(text: string, place: number): number {
  const edges = (place === 0 ? textStart : 0) | (place === text.length ? textEnd : 0)
  return edges | (isWord(text, place - 1) === isWord(text, place) ? noWordBoundary : wordBoundary)
}

function isWord(text: string, index: number): boolean {
  return index >= 0 && index < text.length && wordCharacters[text.charCodeAt(index)] === 1
}

/** Programs of at most 32 states, nearly all of them in practice: where edges lead is computed beforehand, for each context. */
function recogniseInOneWord({ table, stays, forward, back, contextual, openEnded, final }: Parts): Recognise {
  const { classOf, foreign, consumers } = table
  const finalBit = 1 << final
  const stayBits = stays[0]!
  const edges = [...forward, ...back]
  const movers = edges.reduce((bits, edge) => bits | (1 << edge.from), 0)
  const closures = Array.from({ length: contextual ? contextCount : 1 }, (_, context) => closuresIn(context, edges))

  function close(states: number, context: number): number {
    const closure = closures[context]!
    let moving = states & movers
    while (moving !== 0) {
      states |= closure[31 - Math.clz32(moving)]!
      moving &= ~(1 << (31 - Math.clz32(moving)))
    }
    return states
  }

  return (text, from) => {
    let states = 1
    for (let i = from; i < text.length; i++) {
      states = close(states, contextual ? contextAt(text, i) : 0)
      if (openEnded && (states & finalBit) !== 0) return true
      const unit = text.charCodeAt(i)
      const consuming = states & consumers[unit < asciiSize ? classOf[unit]! : (foreign.get(unit) ?? 0)]!
      if (consuming === 0) return false
      states = (consuming << 1) | (consuming & stayBits)
    }
    return (close(states, contextual ? contextAt(text, text.length) : 0) & finalBit) !== 0
  }
}

/** For each state, the states that its edges lead to in a context, and theirs. */
function closuresIn(context: number, edges: readonly Edge[]): Int32Array {
  const closures = Int32Array.from({ length: 32 }, (_, state) => 1 << state)
  const open = edges.filter(edge => (edge.needs & ~context) === 0)
  let changed = true
  while (changed) {
    changed = false
    for (const { from, to } of open) {
      const joined = closures[from]! | closures[to]!
      changed ||= joined !== closures[from]
      closures[from] = joined
    }
  }
  return closures
}

function recogniseInWords(parts: Parts, words: number): Recognise {
  const { table, stays, contextual, openEnded, final } = parts
  const { classOf, foreign, consumers } = table
  const toFlat = (edges: readonly Edge[]) => Int32Array.from(edges.flatMap(e => [e.from, e.to, e.needs]))
  const forward = toFlat(parts.forward)
  const back = toFlat(parts.back)
  // Matching never yields, so one row serves every match of this program
  const states = new Int32Array(words)

  /** Tells whether this made any state active that was not. */
  function follow(edges: Int32Array, context: number): boolean {
    let added = 0
    for (let i = 0; i < edges.length; i += 3) {
      const from = edges[i]!
      if ((states[from >> 5]! & (1 << (from & 31))) === 0 || (edges[i + 2]! & ~context) !== 0) continue
      const to = edges[i + 1]!
      const active = states[to >> 5]!
      added |= ~active & (1 << (to & 31))
      states[to >> 5] = active | (1 << (to & 31))
    }
    return added !== 0
  }

  function close(context: number): void {
    follow(forward, context)
    if (follow(back, context)) follow(forward, context)
  }

  function consume(row: number): boolean {
    let carried = 0
    let alive = 0
    for (let word = 0; word < words; word++) {
      const consuming = states[word]! & consumers[row + word]!
      states[word] = (consuming << 1) | carried | (consuming & stays[word]!)
      carried = consuming >>> 31
      alive |= consuming
    }
    return alive !== 0
  }

  const isFinal = () => (states[final >> 5]! & (1 << (final & 31))) !== 0

  return (text, from) => {
    states.fill(0)
    states[0] = 1
    for (let i = from; i < text.length; i++) {
      close(contextual ? contextAt(text, i) : 0)
      if (openEnded && isFinal()) return true
      const unit = text.charCodeAt(i)
      if (!consume(words * (unit < asciiSize ? classOf[unit]! : (foreign.get(unit) ?? 0)))) return false
    }
    close(contextual ? contextAt(text, text.length) : 0)
    return isFinal()
  }
}
