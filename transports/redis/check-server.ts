import { HubError, quote } from '../../src/errors.ts'
import type { TransportLog } from '../../src/transport.ts'
import { answered, type Client } from './client.ts'
import { interpret } from './failure.ts'
import type { Keys } from './keys.ts'
import { inspectTypes, rehearse, run } from './scripts.ts'

const answerMs = 5000

const expectedTypes: Readonly<Record<keyof Keys, string>> = {
  log: 'stream',
  heads: 'stream',
  ids: 'zset',
  count: 'string',
  messages: 'stream',
  records: 'hash',
}

/**
 * Finds out whether a log can be kept there. The client is ended when it cannot.
 * @throws Failure, HubError `configuration_invalid`
 */
export async function checkServer(client: Client, keys: Keys, log: TransportLog): Promise<void> {
  try {
    await checkVersion(client, log)
    await checkTypes(client, keys)
    await answered(client, run(client, rehearse, keys, []), answerMs)
  } catch (error) {
    client.disconnect()
    throw error
  }
}

async function checkVersion(client: Client, log: TransportLog): Promise<void> {
  const facts = await readFacts(client)
  const [, version = '', major = '', minor = ''] = /^redis_version:((\d+)\.(\d+)[\d.]*)/m.exec(facts) ?? []
  if (version !== '' && Number(major) * 100 + Number(minor) < 602) {
    throw new HubError(
      'configuration_invalid',
      `transport_url, redis: the server is Redis ${version}; at least 6.2 is needed, or Valkey.`,
    )
  }
  const [, policy] = /^maxmemory_policy:(allkeys-\w+)/m.exec(facts) ?? []
  if (policy !== undefined && !/^maxmemory:0\r?$/m.test(facts)) {
    log.warn(
      {},
      `Redis drops any key when its memory is full (maxmemory-policy ${policy}), and with it the log: set noeviction, or one of volatile-….`,
    )
  }
}

/** What the server says of itself; nothing where the user may not ask. */
async function readFacts(client: Client): Promise<string> {
  try {
    return await answered(client, client.info(), answerMs)
  } catch (error) {
    if (interpret(error).meaning === 'misconfigured') return ''
    throw error
  }
}

/** @throws Failure; HubError `configuration_invalid` for a key that holds something else */
export async function checkTypes(client: Client, keys: Keys): Promise<void> {
  const types = (await answered(client, run(client, inspectTypes, keys, []), answerMs)) as string[]
  for (const [i, name] of inspectTypes.keys.entries()) {
    const type = types[i]
    if (type === 'none' || type === expectedTypes[name]) continue
    throw new HubError(
      'configuration_invalid',
      `transport_url, redis: the key ${quote(keys[name])} is taken: it holds a ${type}, not a ${expectedTypes[name]}; name another stream in the path.`,
    )
  }
}
