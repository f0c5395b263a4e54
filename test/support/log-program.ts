import { open } from '../../transports/bolt.ts'
import type { Answer, Request } from './log-process.ts'
import { createTestUpdate } from './node.ts'

/** What `LogProcess` runs: a log that does what its parent asks for. The argument is its URL. */
const log = { info() {}, warn() {}, error() {} }
const transport = await open(new URL(process.argv[2]!), { log })
const delivered: string[] = []
await transport.start({ backfill: 1 }, ({ update }, live) => {
  if (live) delivered.push(update.id)
})

async function perform(request: Request): Promise<Answer> {
  try {
    if (request === 'ready') await transport.ready?.()
    else if (request === 'close') await transport.close()
    else await Promise.all(request.publish.map(fields => transport.publish(createTestUpdate(fields))))
    return { delivered }
  } catch (error) {
    const { code, message } = error as { code: string; message: string }
    return { code, message }
  }
}

process.on('message', async (request: Request) => {
  process.send?.(await perform(request))
  if (request === 'close') process.disconnect?.()
})
process.send?.({ delivered })
