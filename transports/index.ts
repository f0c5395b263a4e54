import { HubError } from '../src/errors.ts'
import type { OpenTransport, Transport, TransportContext } from '../src/transport.ts'

/** The transport of each URL scheme, loaded when it is chosen: the others' clients need not be installed. */
const transports: Readonly<Record<string, () => Promise<{ open: OpenTransport }>>> = {
  local: () => import('./local.ts'),
  bolt: () => import('./bolt.ts'),
}

/** @throws HubError `configuration_invalid` for an unknown scheme or a bad URL, `transport_unavailable` */
export async function openTransport(url: URL, context: TransportContext): Promise<Transport> {
  const scheme = url.protocol.slice(0, -1)
  const load = transports[scheme]
  if (load === undefined) {
    const known = Object.keys(transports).map(name => `${name}://`)
    throw new HubError(
      'configuration_invalid',
      `transport_url: this version has no ${scheme}:// transport; it has ${known.join(', ')}.`,
    )
  }
  const { open } = await load()
  return await open(url, context)
}
