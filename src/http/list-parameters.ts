import { HubError, quote } from '../errors.ts'
import { uriText } from './header-text.ts'

/** How much of a list is asked for; without any of the parameters, all of it. */
export type ListParameters =
  | { readonly kind: 'all' }
  | { readonly kind: 'count' }
  | { readonly kind: 'page'; readonly limit: number; readonly after: string }

/** Subscriptions on one page. */
const maxLimit = 1000

/** Reads them from a query as it was sent, which may hold anything else. @throws HubError `list_parameter_invalid` */
export function readListParameters(search: string): ListParameters {
  const count = parameter(search, 'count')
  if (count !== undefined && count !== '1') throw invalid('count', count, 'the only value is 1')
  const limit = parameter(search, 'limit')
  const after = parameter(search, 'after')
  if (limit !== undefined && !(/^\d{1,4}$/.test(limit) && Number(limit) >= 1 && Number(limit) <= maxLimit)) {
    throw invalid('limit', limit, `a whole number from 1 to ${maxLimit} is expected`)
  }
  if (count !== undefined) return { kind: 'count' }
  if (limit === undefined && after === undefined) return { kind: 'all' }
  return { kind: 'page', limit: limit === undefined ? maxLimit : Number(limit), after: after ?? '' }
}

/** The address of a page's successor: the same parameters, but for where it begins. `search`: as it was sent, without the token. */
export function nextPage(path: string, search: string, after: string): string {
  const kept = withoutParameter(search, 'after')
  return `${uriText(path)}?${uriText(kept)}${kept === '' ? '' : '&'}after=${encodeURIComponent(after)}`
}

/** A query as it was sent, but for one parameter, however that is spelt. */
export const withoutParameter = (search: string, name: string): string =>
  search
    .split('&')
    .filter(pair => nameOf(pair) !== name)
    .join('&')

/** The first value. @throws HubError `list_parameter_invalid` */
function parameter(search: string, name: string): string | undefined {
  const pair = search.split('&').find(pair => nameOf(pair) === name)
  if (pair === undefined) return undefined
  const equals = pair.indexOf('=')
  const sent = equals === -1 ? '' : pair.slice(equals + 1)
  const value = decode(sent)
  if (value === undefined) throw invalid(name, sent, 'it is not percent-encoded UTF-8')
  return value
}

function nameOf(pair: string): string {
  const [name = ''] = pair.split('=', 1)
  return decode(name) ?? name
}

/** `undefined`: it cannot be decoded. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

const invalid = (name: string, value: string, rule: string): HubError =>
  new HubError('list_parameter_invalid', `${name}=${quote(value, 40)}: ${rule}.`, {
    mend: 'Leave limit, after and count out for the whole list.',
  })
