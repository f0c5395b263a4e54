import { HubError } from '../../errors.ts'
import { hubPath } from '../../protocol/topic.ts'

/** The URL of a hub as people write it: a bare host means the path that hubs have. @throws HubError `configuration_invalid` */
export function readHubUrl(text: string): URL {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new HubError('configuration_invalid', `${JSON.stringify(text)} is not the URL of a hub${hintAtUrl(text)}`)
  }
  if (url.username !== '' || url.password !== '') {
    throw new HubError('configuration_invalid', 'The URL of a hub has no user and no password: use a token.')
  }
  if (url.pathname === '/') url.pathname = hubPath
  else url.pathname = url.pathname.replace(/\/+$/, '')
  return url
}

function hintAtUrl(text: string): string {
  const [, host, port] = /^([\w.-]+|\[[\da-f:]+\])(:\d+)?(?:\/\S*)?$/i.exec(text) ?? []
  if (host === undefined) return ': write http://127.0.0.1:3000, for example.'
  const isPlain = port !== undefined || host === 'localhost' || /^[\d.[]/.test(host)
  return `: the scheme is missing. Did you mean ${isPlain ? 'http' : 'https'}://${text}?`
}
