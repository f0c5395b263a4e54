import { HubError } from '../errors.ts'

/** Whose pages may do something: `*`, `null`, and origins, each with at most one `*` inside. */
export interface AllowedOrigins {
  /** `*` is among them: CORS then does without credentials. */
  readonly any: boolean
  /** Linear in the origin's length. */
  allows(origin: string): boolean
}

/** `scheme://host[:port]`, any scheme: packaged applications have their own, such as `capacitor://localhost`. */
const originSyntax = /^[a-z*][a-z0-9+.*-]*:\/\/[^\s/?#@\\]*$/

/** @throws HubError `configuration_invalid` for what is not an origin; `setting` names the list in its message */
export function compileOrigins(patterns: readonly string[], setting: string): AllowedOrigins {
  const exact = new Set<string>()
  const wildcards: { head: string; tail: string }[] = []
  let any = false
  for (const text of patterns) {
    const pattern = text.toLowerCase()
    if (pattern === '*') any = true
    else if (pattern === 'null') exact.add(pattern)
    else if (!originSyntax.test(pattern)) throw notAnOrigin(setting, text)
    else {
      const [head = '', tail, second] = pattern.split('*')
      if (second !== undefined) throw notAnOrigin(setting, text)
      if (tail === undefined) exact.add(canonical(pattern))
      else wildcards.push({ head, tail })
    }
  }
  return {
    any,
    allows(origin) {
      if (any) return true
      const asked = canonical(origin.toLowerCase())
      return exact.has(asked) || wildcards.some(({ head, tail }) => fits(asked, head, tail))
    },
  }
}

/** What the `*` stands for stays within the host and port: it never spans a path or a user. */
function fits(origin: string, head: string, tail: string): boolean {
  return (
    origin.length >= head.length + tail.length &&
    origin.startsWith(head) &&
    origin.endsWith(tail) &&
    !/[\s/?#@\\]/.test(origin.slice(head.length, origin.length - tail.length))
  )
}

/** As browsers send it: no default port, the host in ASCII. Schemes that URL knows nothing of stay as written. */
function canonical(origin: string): string {
  if (!/^https?:\/\/[^/?#@\\]+$/.test(origin)) return origin
  return URL.canParse(origin) ? new URL(origin).origin : origin
}

function notAnOrigin(setting: string, text: string): HubError {
  const hint = text.endsWith('/') ? ' Drop the "/" at its end.' : ''
  return new HubError(
    'configuration_invalid',
    `${setting}: ${JSON.stringify(text)} is not an origin. Write scheme://host[:port], with at most one * in it, or * or null alone.${hint}`,
  )
}
