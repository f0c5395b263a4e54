import assert from 'node:assert/strict'
import { parse } from 'yaml'

/** What tests look at in a service of a compose file. */
export interface Service {
  readonly image?: string
  readonly build?: string | { readonly dockerfile_inline: string }
  readonly profiles: readonly string[]
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly healthcheck: { readonly test: readonly string[] }
  readonly deploy?: { readonly replicas: number }
  readonly [key: string]: unknown
}

/** Reads the services of a compose file, with the variables that are set. */
export const readServices = (text: string, env: Readonly<Record<string, string>> = {}): Record<string, Service> =>
  interpolate(parse(text, { merge: true }), env).services

/** As Docker Compose does it: `$NAME` is not used here, `$$` is a dollar sign. */
function interpolate<Value>(value: Value, env: Readonly<Record<string, string>>): Value {
  if (typeof value === 'string') {
    return value.replace(
      /\$(?:\$|\{(\w+)(?::([?-])([^}]*))?\})/g,
      (whole, name?: string, operator?: string, rest = '') => {
        if (name === undefined) return '$'
        if (env[name]) return env[name]
        if (operator === '-') return rest
        if (operator === '?') throw new Error(`required variable ${name} is missing a value: ${rest}`)
        return assert.fail(`${whole} may be empty`)
      },
    ) as Value
  }
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, one]) => [key, interpolate(one, env)])
  return (Array.isArray(value) ? entries.map(([, one]) => one) : Object.fromEntries(entries)) as Value
}
