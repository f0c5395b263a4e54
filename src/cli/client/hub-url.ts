import { HubError } from '../../errors.ts'
import { hubPath } from '../../protocol/topic.ts'

/** The URL of a hub as people write it: a bare host means the path that hubs have, and the debugger page its hub. @throws HubError `configuration_invalid` */
export function readHubUrl(text: string): URL {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new HubError('configuration_invalid', `${JSON.stringify(text)} is not the URL of a hub${hintAtUrl(text)}`)
  }
  if (url.username !== '' || url.password !== '') {
    throw new HubError('configuration_invalid', 'The URL of a hub has no user and no password: use a token.')
  }
  if (pageOfHub.test(url.pathname)) {
    url.pathname = url.pathname.replace(pageOfHub, '')
    url.search = ''
    url.hash = ''
  }
  url.pathname = url.pathname.replace(/\/+$/, '') || hubPath
  return url
}

/** Where the debugger page is below a hub, here and in the reference; its address has what the page was told in its query. */
const pageOfHub = new RegExp(`(?<=${hubPath.replaceAll('.', '\\.')})/(?:debug|ui)(?:/.*)?$`)

function hintAtUrl(text: string): string {
  const [, host, port] = /^([\w.-]+|\[[\da-f:]+\])(:\d+)?(?:\/\S*)?$/i.exec(text) ?? []
  if (host === undefined) return ': write http://127.0.0.1:3000, for example.'
  const isPlain = port !== undefined || host === 'localhost' || /^[\d.[]/.test(host)
  return `: the scheme is missing. Did you mean ${isPlain ? 'http' : 'https'}://${text}?`
}
