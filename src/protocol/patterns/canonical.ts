import type { Component } from './topic-url.ts'

/**
 * The canonical form of a literal in a pattern's component, as it is in the URLs that the pattern is matched against
 * (URL Pattern Standard, section 3.1). `null`: no such component can contain it.
 */
export type Canonicalise = (literal: string) => string | null

/** Set and read again within one call. */
const scratch = new URL('https://dummy.invalid/')
const portScratch = new URL('other://dummy.invalid/')

export function canonicalProtocol(literal: string): string | null {
  return URL.parse(`${literal}://dummy.invalid`)?.protocol.slice(0, -1) ?? null
}

function canonicalHostname(literal: string): string | null {
  const unset = 'unset.invalid'
  scratch.hostname = unset
  scratch.hostname = literal
  return scratch.hostname === unset && literal.toLowerCase() !== unset ? null : scratch.hostname
}

export function canonicalAddress(literal: string): string | null {
  const address = literal.toLowerCase()
  return [...address].every(character => '0123456789abcdef:[]'.includes(character)) ? address : null
}

function canonicalPort(literal: string): string | null {
  portScratch.port = ''
  portScratch.port = literal
  return portScratch.port === '' ? null : portScratch.port
}

function canonicalPathname(literal: string): string {
  if (literal.startsWith('/')) {
    scratch.pathname = literal
    return scratch.pathname
  }
  // So that the beginning is neither a slash nor part of a dot segment
  scratch.pathname = `/-${literal}`
  return scratch.pathname.slice(2)
}

/** The path of a URL that has no hierarchy, like `urn:isbn:…`: only what is not printable ASCII is encoded. */
export function canonicalOpaquePathname(literal: string): string {
  return [...literal].map(character => (character > '~' ? encodeURIComponent(character) : character)).join('')
}

export const canonicalForms: Readonly<Record<Component, Canonicalise>> = {
  protocol: canonicalProtocol,
  username: literal => {
    scratch.username = literal
    return scratch.username
  },
  password: literal => {
    scratch.password = literal
    return scratch.password
  },
  hostname: canonicalHostname,
  port: canonicalPort,
  pathname: canonicalPathname,
  search: literal => {
    scratch.search = `?${literal}`
    return scratch.search.slice(1)
  },
  hash: literal => {
    scratch.hash = `#${literal}`
    return scratch.hash.slice(1)
  },
}
