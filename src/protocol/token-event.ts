/** The type of the event that tells a client that its token expires soon. */
export const tokenExpiringType = 'mercure-token-expiring'

/**
 * Says that a token expires, as bytes of `text/event-stream`. The event has no id: it is no update, and the client's last event id stays what it was.
 * @param expiresAt milliseconds since the epoch
 * @param inMs the same from now
 */
export function encodeTokenExpiring(expiresAt: number, inMs: number): Uint8Array {
  const data = { expires_at: new Date(expiresAt).toISOString(), expires_in: Math.floor(inMs / 1000) }
  return utf8.encode(`event: ${tokenExpiringType}\ndata: ${JSON.stringify(data)}\n\n`)
}

const utf8 = new TextEncoder()
