import { didYouMean } from './nearest.ts'
import type { Problem } from './problem.ts'
import { keys } from './schema.ts'

/** What the second argument of `createHub` takes: the methods that each must have, and where one comes from. */
const options = {
  transport: {
    methods: ['start', 'publish', 'close'],
    advice: 'give an opened log, as openTransport() gives it; a URL is transport_url, in the first argument.',
  },
  log: { methods: ['debug', 'info', 'warn', 'error'], advice: 'give a pino logger, or console.' },
} as const
const names = Object.keys(options)

/** What is wrong with the second argument of `createHub`; who writes JavaScript has no compiler that tells. */
export function checkOptions(given: unknown): Problem[] {
  const fault = faultOfArgument(given)
  if (fault !== null) return [atCreateHub(null, `the second argument ${fault}; it is like { log: console }.`)]
  return Object.entries(given as object).flatMap(([name, value]) => {
    if (value === undefined) return []
    const message = isOption(name) ? faultOfOption(name, value) : unknown(name)
    return message === null ? [] : [atCreateHub(name, message)]
  })
}

/** What is wrong with the first argument as a whole. */
export function checkSettings(given: unknown): Problem[] {
  const fault = faultOfArgument(given)
  return fault === null ? [] : [atCreateHub(null, `the first argument ${fault}; it is like { jwt_key: '…' }.`)]
}

/** Stands among the settings, and is of the second argument: the sentence that says so; null: it is not. */
export function misplaced(name: string, value: unknown): string | null {
  if (!isOption(name) || typeof value === 'string') return null
  return `belongs in the second argument: createHub(settings, { ${name} }).`
}

const isOption = (name: string): name is keyof typeof options => Object.hasOwn(options, name)

const atCreateHub = (key: string | null, message: string): Problem => ({ key, where: 'createHub', message })

/** Follows "the … argument"; null: it is an object. */
function faultOfArgument(given: unknown): string | null {
  if (isPromise(given)) return 'is a promise: await it'
  if (given === null) return 'is null, not an object'
  if (Array.isArray(given)) return 'is a list, not an object'
  return typeof given === 'object' ? null : `is a ${typeof given}, not an object`
}

function faultOfOption(name: keyof typeof options, value: unknown): string | null {
  if (isPromise(value)) return 'is a promise: await it.'
  const { methods, advice } = options[name]
  const missing = methods.filter(method => typeof Object(value)[method] !== 'function')
  return missing.length === 0 ? null : `has no ${missing.map(method => `${method}()`).join(', ')}: ${advice}`
}

function unknown(name: string): string {
  if ((keys as readonly string[]).includes(name)) return 'is a setting: it belongs in the first argument.'
  return `there is no such option; there are ${names.join(' and ')}.${didYouMean(name, names)}`
}

const isPromise = (value: unknown): boolean => typeof (value as PromiseLike<unknown> | null)?.then === 'function'
