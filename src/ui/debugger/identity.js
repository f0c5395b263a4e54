import { createStore } from './store.js'
import { cleanToken, decodeToken } from './token.js'

/** Kept where the user asks for it, and no longer than the tab. */
const storageKey = 'talaria.debugger.token'

/**
 * How the page presents itself to the hub. `cookieToken` is what was put into the browser's cookie from here, `''` since it was expired from
 * here, `undefined` while nobody but the browser knows.
 */
export const identity = createStore({
  mode: 'header',
  token: readRemembered(),
  remembered: readRemembered() !== '',
  cookieToken: undefined,
})

export function setToken(token) {
  identity.merge({ token: cleanToken(token) })
  if (identity.value.remembered) remember(identity.value.token)
}

export const setMode = mode => identity.merge({ mode })

export const setCookieToken = cookieToken => identity.merge({ cookieToken })

/** Differs where requests may be answered differently. */
export const nameIdentity = ({ mode, token, cookieToken } = identity.value) =>
  JSON.stringify(mode === 'header' ? token : mode === 'cookie' ? [cookieToken] : null)

export function setRemembered(remembered) {
  identity.merge({ remembered })
  remember(remembered ? identity.value.token : '')
}

/** What a request needs to be made in this identity; never part of a URL, which logs keep. */
export function credentials({ mode, token } = identity.value) {
  if (mode === 'cookie') return { credentials: 'same-origin', headers: {} }
  return { credentials: 'omit', headers: mode === 'header' && token !== '' ? { Authorization: `Bearer ${token}` } : {} }
}

/** The token that requests carry; `undefined`: none, or one that scripts cannot read. */
export function presentedToken({ mode, token } = identity.value) {
  return mode === 'header' && token !== '' ? token : undefined
}

/** In two or three words. */
export function describeIdentity({ mode, token } = identity.value) {
  if (mode === 'cookie') return 'cookie'
  if (mode === 'anonymous' || token === '') return 'anonymous'
  const decoded = decodeToken(token)
  return 'problem' in decoded ? 'unreadable token' : `${decoded.generation} token`
}

function readRemembered() {
  try {
    return cleanToken(sessionStorage.getItem(storageKey) ?? '')
  } catch {
    return ''
  }
}

/** A browser may forbid storage; the token then lives as long as the page. */
function remember(token) {
  try {
    if (token === '') sessionStorage.removeItem(storageKey)
    else sessionStorage.setItem(storageKey, token)
  } catch {}
}
