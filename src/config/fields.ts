import * as z from 'zod'
import { HubError } from '../errors.ts'
import { invalid, quote } from './invalid.ts'
import { didYouMean } from './nearest.ts'
import { formatDuration, parseDuration } from './values/duration.ts'
import { parseSize } from './values/size.ts'
import { parseSwitch } from './values/switch.ts'

// What the schema is made of: what YAML, the environment or a flag gives, and the value that is made of it.
// An empty text means the same as a key left out.

const anyText = z.string()
/** Numbers and booleans need no quotes in YAML. */
export const scalar = z.union([anyText, z.number(), z.boolean()]).transform(String)

/** A value that one of our parsers reads; the parser's sentence becomes the message. */
const read = <T>(input: z.ZodType<string>, parse: (text: string) => T) =>
  input.transform((value, context): T => {
    try {
      return parse(value)
    } catch (error) {
      if (!(error instanceof HubError)) throw error
      context.addIssue(error.message)
      return z.NEVER
    }
  })

export const one = <T>(parse: (text: string) => T) => read(anyText.min(1), parse)
/** Text alone unless told otherwise: a secret of digits would not come back from a number as it was written. */
export const optional = <T>(parse: (text: string) => T, input: z.ZodType<string> = anyText) =>
  read(input, value => (value === '' ? null : parse(value))).prefault('')
/** Several, as a YAML list or as text separated by spaces or commas. */
export const several = <T extends z.ZodType>(item: T) => z.preprocess(splitText, z.array(item)).prefault([])
const splitText = (value: unknown) =>
  typeof value === 'string' ? value.split(/[\s,]+/).filter(part => part !== '') : value

/** One that has a default and needs no quotes. */
export const withDefault = <T>(parse: (text: string) => T, byDefault: string) => read(scalar, parse).prefault(byDefault)
export const flag = (byDefault: boolean) => read(scalar, parseSwitch).prefault(byDefault)
/** Bytes. */
export const size = (byDefault: string, least = 0) =>
  read(scalar, value => atLeast(least, parseSize(value))).prefault(byDefault)
/** Milliseconds, within what Node's timers can wait: a longer one would go off at once. */
export const timer = (byDefault: string) => read(scalar, parseTimer).prefault(byDefault)
export const count = (byDefault: number, most = Number.MAX_SAFE_INTEGER) => z.int().min(0).max(most).prefault(byDefault)

/** One of some words, in upper or lower case. */
export const choice = <const Words extends readonly string[]>(words: Words) =>
  z.preprocess(value => words.find(word => word.toLowerCase() === String(value).toLowerCase()) ?? value, z.enum(words))
export const optionalChoice = <const Words extends readonly string[]>(words: Words) =>
  z.preprocess(value => (value === '' ? null : value), choice(words).nullable()).prefault('')

/**
 * A mapping without other keys than these. Its message about unknown ones has a line for each, in the order of the issue's `keys`.
 * @param retired sentences for keys that there were once
 */
export function mapping<Shape extends z.ZodRawShape>(shape: Shape, retired: Readonly<Record<string, string>> = {}) {
  const explain = (key: string): string => {
    if (Object.hasOwn(retired, key)) return retired[key]!
    const [, joined] = /^(\w+):/.exec(key) ?? []
    if (joined !== undefined && joined in shape) return `the space after "${joined}:" is missing.`
    return `there is no such key.${didYouMean(key, Object.keys(shape))}`
  }
  return z.strictObject(shape, {
    error: issue => (issue.code === 'unrecognized_keys' ? issue.keys.map(explain).join('\n') : undefined),
  })
}

/** zod's own issues in our words; the value is not shown, since it may be a secret in the wrong place. */
export function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.input === undefined && issue.code !== 'custom') return 'is missing.'
  if (issue.code === 'invalid_value') {
    const words = issue.values.map(String)
    return `must be one of ${words.join(', ')}.${didYouMean(String(issue.input), words)}`
  }
  if (issue.code === 'too_small') return issue.origin === 'string' ? 'is empty.' : `must be at least ${issue.minimum}.`
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}.`
  if (issue.code === 'invalid_union') return 'must be a single value.'
  if (issue.code === 'invalid_type' && Object.hasOwn(expectations, issue.expected)) return expectations[issue.expected]
  return undefined
}

const expectations: Readonly<Record<string, string>> = {
  string: 'must be text: put it in quotes.',
  array: 'must be a list.',
  object: 'must be a mapping (lines of "key: value").',
  int: 'must be a whole number.',
  number: 'must be a whole number.',
}

function parseTimer(text: string): number {
  const ms = parseDuration(text)
  if (ms <= longestTimerMs) return ms
  throw invalid(`${quote(text)} is too long; the longest is ${formatDuration(longestTimerMs)}.`)
}
const longestTimerMs = 24 * 24 * 3_600_000

function atLeast(least: number, bytes: number): number {
  if (bytes >= least) return bytes
  throw invalid(`${bytes} bytes are too few; the least is ${least}.`)
}
