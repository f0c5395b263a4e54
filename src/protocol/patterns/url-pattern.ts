import { HubError } from '../../errors.ts'
import { anyCharacter, asciiSetOf, complement } from '../automaton/ascii-set.ts'
import { compileLanguage, type Language } from '../automaton/language.ts'
import { canonicalAddress, canonicalForms, canonicalOpaquePathname } from './canonical.ts'
import { type ComponentPatterns, splitPattern } from './components.ts'
import { type ComponentSyntax, parseComponent } from './parts.ts'
import { type TokenKind, tokenize } from './tokens.ts'
import { type Component, components, type TopicUrl } from './topic-url.ts'

/** A compiled URL Pattern. */
export interface UrlPattern {
  /** Literals that a URL has if it matches: the beginning of `hostAndPathOf` it, and another one after that. Either may be empty. */
  readonly prefix: string
  readonly literal: string
  /** The memory that it holds, roughly, in bytes. */
  readonly weight: number
  matches(url: TopicUrl): boolean
}

/** Bounds of the time that reading a pattern takes. A group makes the literals around it canonical on their own. */
const maxGroups = 512
const maxProperties = 16

const groupKinds: readonly TokenKind[] = ['name', 'regexp', 'asterisk', 'open']

const defaultPorts: Readonly<Record<string, string>> = {
  http: '80',
  https: '443',
  ws: '80',
  wss: '443',
  ftp: '21',
  file: '',
}
const specialSchemes = Object.keys(defaultPorts)
const notSlash = complement(asciiSetOf('/'))
const notDot = complement(asciiSetOf('.'))

/**
 * Compiles a URL Pattern (WHATWG URL Pattern Standard: constructor string with a base URL, case-sensitive) so that a match
 * is linear in the URL. The platform's URLPattern would not do: it runs what clients send on an engine that backtracks, the
 * protocol already while it is constructed, and takes half a second to read some regular expressions.
 *
 * @throws HubError `matcher_invalid`, `matcher_too_complex`
 */
export function compileUrlPattern(pattern: string, base: string): UrlPattern {
  limit(tokenize(pattern).filter(({ kind }) => groupKinds.includes(kind)).length, maxGroups, 'groups')
  limit(pattern.split('\\p').length + pattern.split('\\P').length - 2, maxProperties, 'Unicode properties (\\p{…})')

  const isSpecial = (protocol: string) => specialSchemes.some(compileComponent('protocol', protocol, false).has)
  const patterns = withBase(splitPattern(pattern, isSpecial), new URL(base))
  const special = isSpecial(patterns.protocol)
  if (defaultPorts[patterns.protocol] === patterns.port) patterns.port = ''
  if (patterns.search?.startsWith('?')) patterns.search = patterns.search.slice(1)
  if (patterns.hash?.startsWith('#')) patterns.hash = patterns.hash.slice(1)

  const languages: Partial<Record<Component, Language>> = {}
  const tests: { readonly at: number; readonly language: Language }[] = []
  components.forEach((component, at) => {
    const componentPattern = patterns[component]
    if (componentPattern === undefined) return
    const language = compileComponent(component, componentPattern, special)
    languages[component] = language
    if (!language.everything) tests.push({ at, language })
  })
  return {
    ...literalsOf(languages),
    weight: tests.reduce((sum, { language }) => sum + language.weight + 64, 0),
    matches: url => {
      for (const { at, language } of tests) if (!language.has(url[at]!)) return false
      return true
    },
  }
}

/** Of a pathname if it has any: those of hostnames are shared by more patterns. */
function literalsOf({ hostname, pathname }: Partial<Record<Component, Language>>): { prefix: string; literal: string } {
  const { prefix = '', literal = '' } = pathname ?? {}
  if (hostname?.single === true) return { prefix: hostname.prefix + prefix, literal }
  const longest = prefix.length > literal.length ? prefix : literal
  return { prefix: hostname?.prefix ?? '', literal: longest.length > 1 ? longest : (hostname?.literal ?? '') }
}

function limit(count: number, max: number, what: string): void {
  if (count > max)
    throw new HubError('matcher_too_complex', `The pattern is too complex: it has more than ${max} ${what}.`)
}

function compileComponent(component: Component, pattern: string, special: boolean): Language {
  return compileLanguage(parseComponent(pattern, syntaxOf(component, pattern, special)))
}

function syntaxOf(component: Component, pattern: string, special: boolean): ComponentSyntax {
  const canonicalise = canonicalForms[component]
  if (component === 'hostname') {
    const isAddress = pattern.length > 1 && ['[', '\\[', '{['].some(beginning => pattern.startsWith(beginning))
    return { segment: notDot, prefix: '', canonicalise: isAddress ? canonicalAddress : canonicalise }
  }
  if (component !== 'pathname') return { segment: anyCharacter, prefix: '', canonicalise }
  if (special) return { segment: notSlash, prefix: '/', canonicalise }
  return { segment: anyCharacter, prefix: '', canonicalise: canonicalOpaquePathname }
}

/**
 * A component comes from the base URL if the pattern has neither it nor one before it; a relative path is resolved
 * (URL Pattern Standard, section 3.2). User information is not inherited.
 */
function withBase(patterns: ComponentPatterns, base: URL): ComponentPatterns & { protocol: string } {
  if (patterns.protocol !== undefined) return { ...patterns, protocol: patterns.protocol }
  const whole = { ...patterns, protocol: base.protocol.slice(0, -1) }
  if (patterns.hostname !== undefined) return whole
  whole.hostname = escapePattern(base.hostname)
  whole.port = base.port
  if (patterns.pathname !== undefined) {
    const directory = base.pathname.slice(0, base.pathname.lastIndexOf('/') + 1)
    const absolute = ['/', '\\/', '{/'].some(beginning => patterns.pathname!.startsWith(beginning))
    whole.pathname = absolute ? patterns.pathname : escapePattern(directory) + patterns.pathname
    return whole
  }
  whole.pathname = escapePattern(base.pathname)
  if (patterns.search !== undefined) return whole
  whole.search = escapePattern(base.search.slice(1))
  if (patterns.hash === undefined) whole.hash = escapePattern(base.hash.slice(1))
  return whole
}

function escapePattern(literal: string): string {
  return [...literal].map(character => ('+*?:{}()\\'.includes(character) ? `\\${character}` : character)).join('')
}
