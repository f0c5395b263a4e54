import type { Client } from './client.ts'
import type { Location } from './location.ts'
import { WebSocketClient } from './websocket-client.ts'

/** The way to Pulsar that the URL names; the native client is loaded when it is wanted. @throws HubError `configuration_invalid` */
export async function createClient(location: Location, publishTimeoutMs: number): Promise<Client> {
  if (location.isWebSocket) return new WebSocketClient(location, publishTimeoutMs)
  const { openNativeClient } = await import('./native-client.ts')
  return await openNativeClient(location, publishTimeoutMs)
}
