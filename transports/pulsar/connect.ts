import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { misconfigured } from '../backend/refusals.ts'
import type { Client } from './client.ts'
import { type Location, pulsar } from './location.ts'
import { WebSocketClient } from './websocket-client.ts'

/** The way to Pulsar that the URL names; the native client is loaded when it is wanted. @throws HubError `configuration_invalid` */
export async function createClient(location: Location, publishTimeoutMs: number): Promise<Client> {
  if (location.tlsCaFile !== undefined) await checkAuthority(location.tlsCaFile)
  if (location.isWebSocket) return new WebSocketClient(location, publishTimeoutMs)
  const { openNativeClient } = await import('./native-client.ts')
  return await openNativeClient(location, publishTimeoutMs)
}

/** It is read again for each connection: authorities change. @throws HubError `configuration_invalid` */
async function checkAuthority(file: string): Promise<void> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw misconfigured(
      pulsar,
      `tls_ca_file: ${JSON.stringify(file)} cannot be read (${(error as NodeJS.ErrnoException).code})`,
    )
  }
  try {
    new X509Certificate(text)
  } catch {
    throw misconfigured(pulsar, `tls_ca_file: ${JSON.stringify(file)} has no certificate (PEM)`)
  }
}
