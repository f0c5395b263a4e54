import { connect } from '../../transports/redis/client.ts'
import { keysOf } from '../../transports/redis/keys.ts'
import { readLocation } from '../../transports/redis/location.ts'

let streams = 0

/** The URL of a log that is not there yet, on a Redis. */
export function newStream(server: URL, query = ''): URL {
  const url = new URL(server)
  url.pathname = `/test-${process.pid}-${streams++}`
  url.search = query
  return url
}

/** Removes what a log has left on a Redis. */
export async function removeLog(url: URL): Promise<void> {
  const client = await connect(readLocation(url))
  await client.unlink(...Object.values(keysOf(readLocation(url).stream)))
  client.disconnect()
}
