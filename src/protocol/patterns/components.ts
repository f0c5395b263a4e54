import { type TokenKind, tokenize } from './tokens.ts'
import type { Component } from './topic-url.ts'

/** Pattern strings by component. A component that is missing matches anything. */
export type ComponentPatterns = Partial<Record<Component, string>>

type State = 'init' | 'authority' | Component

/** As they follow each other in a URL. */
const order: readonly State[] = [
  'init',
  'protocol',
  'authority',
  'username',
  'password',
  'hostname',
  'port',
  'pathname',
  'search',
  'hash',
]
const literalKinds: readonly TokenKind[] = ['character', 'escaped character', 'invalid character']
/** After these a `?` is a modifier. */
const modifiableKinds: readonly TokenKind[] = ['name', 'regexp', 'close', 'asterisk']

/**
 * Splits a pattern into components, by the constructor string parser of the URL Pattern Standard (section 1.6).
 * `isSpecial` tells whether a protocol's pattern matches a special scheme: after such a one an authority needs no slashes.
 */
export function splitPattern(pattern: string, isSpecial: (protocol: string) => boolean): ComponentPatterns {
  const tokens = tokenize(pattern)
  const components: ComponentPatterns = {}
  let state: State = 'init'
  let special = false
  let start = 0
  let at = 0

  /** The token is this character without a meaning of its own. */
  function is(character: string, index = at): boolean {
    const token = tokens[index]
    return token?.value === character && literalKinds.includes(token.kind)
  }

  function isSearchPrefix(): boolean {
    if (is('?')) return true
    return tokens[at]!.value === '?' && !(at > 0 && modifiableKinds.includes(tokens[at - 1]!.kind))
  }

  function currentText(): string {
    return pattern.slice(tokens[start]!.start, tokens[at]!.start)
  }

  /** Ends the component under way and begins another after so many tokens. What lies between the two is empty. */
  function begin(next: State, skipped: number): true {
    if (state !== 'init') {
      if (state !== 'authority') components[state] = currentText()
      if (isBetween('hostname', next)) components.hostname ??= ''
      if (isBetween('pathname', next)) components.pathname ??= special ? '/' : ''
      if (isBetween('search', next)) components.search ??= ''
    }
    state = next
    at += skipped
    start = at
    return true
  }

  function isBetween(component: Component, next: State): boolean {
    return order.indexOf(state) < order.indexOf(component) && order.indexOf(component) < order.indexOf(next)
  }

  /** Reads the tokens of the component under way again, as another one. */
  function restart(next: State): true {
    state = next
    at = start
    return true
  }

  function beginPath(): boolean {
    return is('/') && begin('pathname', 0)
  }

  function beginSearchOrHash(): boolean {
    if (isSearchPrefix()) return begin('search', 1)
    return is('#') && begin('hash', 1)
  }

  function beginAfterProtocol(): true {
    special = isSpecial(currentText())
    if (is('/', at + 1) && is('/', at + 2)) return begin('authority', 3)
    return begin(special ? 'authority' : 'pathname', 1)
  }

  let bracketDepth = 0
  function step(): boolean {
    switch (state) {
      case 'init':
        return is(':') && restart('protocol')
      case 'protocol':
        return is(':') && beginAfterProtocol()
      case 'authority':
        if (is('@')) return restart('username')
        return (is('/') || isSearchPrefix() || is('#')) && restart('hostname')
      case 'username':
        if (is(':')) return begin('password', 1)
        return is('@') && begin('hostname', 1)
      case 'password':
        return is('@') && begin('hostname', 1)
      case 'hostname':
        if (is('[')) bracketDepth++
        else if (is(']')) bracketDepth--
        else if (is(':') && bracketDepth === 0) return begin('port', 1)
        else return beginPath() || beginSearchOrHash()
        return false
      case 'port':
        return beginPath() || beginSearchOrHash()
      case 'pathname':
        return beginSearchOrHash()
      case 'search':
        return is('#') && begin('hash', 1)
      case 'hash':
        return false
    }
  }

  /** Nothing is left, but the component under way may have been taken for another one. */
  function stepAtEnd(): boolean {
    if (state === 'authority') return restart('hostname')
    if (state === 'init') {
      at = start
      return beginSearchOrHash() || begin('pathname', 0)
    }
    components[state] = currentText()
    return false
  }

  let groupDepth = 0
  for (;;) {
    const { kind } = tokens[at]!
    if (kind === 'end') {
      if (stepAtEnd()) continue
      break
    }
    if (kind === 'open') groupDepth++
    else if (kind === 'close' && groupDepth > 0) groupDepth--
    if (kind === 'open' || groupDepth > 0 || !step()) at++
  }
  if (components.hostname !== undefined) components.port ??= ''
  return components
}
