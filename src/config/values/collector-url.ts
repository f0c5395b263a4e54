import { invalid, quote } from '../invalid.ts'

/** Where a collector takes spans, unless its URL says something else: OTLP/HTTP, "OTLP/HTTP Request". */
const defaultPath = '/v1/traces'

/** Reads the URL of a collector of spans: `http://localhost:4318`. @throws HubError `configuration_invalid` */
export function parseCollectorUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw invalid(`${quote(text)} is not an http or https URL; write it like http://localhost:4318.`)
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid('must not hold a user and password: give the header in OTEL_EXPORTER_OTLP_HEADERS.')
  }
  if (url.pathname === '/') url.pathname = defaultPath
  return url
}
