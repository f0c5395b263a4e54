import { Admin } from '@platformatic/kafka'
import { messageTopic, readLocation } from '../../transports/kafka/location.ts'

let topics = 0

/** The URL of a log that is not there yet, on a Kafka. */
export function newTopic(server: URL, options: Readonly<Record<string, string | number>> = {}): URL {
  const url = new URL(server)
  url.searchParams.set('topic', `test-${process.pid}-${topics++}`)
  for (const [name, value] of Object.entries(options)) url.searchParams.set(name, String(value))
  return url
}

/** Removes what a log has left on a Kafka. */
export async function removeTopic(url: URL): Promise<void> {
  const { addresses, topic } = readLocation(url)
  const admin = new Admin({ clientId: 'tests', bootstrapBrokers: [...addresses] })
  await admin.deleteTopics({ topics: [topic, messageTopic(topic)] })
  await admin.close()
}
