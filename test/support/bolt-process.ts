import { open } from '../../transports/bolt.ts'
import { createTestUpdate } from './node.ts'

/** A log in a process of its own, so that limits of the operating system can be set for it. Run with the URL as its argument. */

/** What the parent asks for. */
export type Request =
  | { readonly publish: { readonly id: string; readonly bytes: number } }
  | 'ready'
  | 'delivered'
  | 'close'
/** What the process answers, one answer to each request in order. */
export type Answer = { readonly ok: readonly string[] } | { readonly code: string; readonly message: string }

const log = { info() {}, warn() {}, error() {} }
const transport = await open(new URL(process.argv[2]!), { log })
const delivered: string[] = []
await transport.start({ backfill: 1 }, ({ update }, live) => {
  if (live) delivered.push(update.id)
})

async function answer(request: Request): Promise<readonly string[]> {
  if (request === 'ready') await transport.ready!()
  else if (request === 'close') await transport.close()
  else if (request !== 'delivered') {
    const { id, bytes } = request.publish
    await transport.publish(createTestUpdate({ id, data: 'x'.repeat(bytes) }))
  }
  return delivered
}

process.on('message', (request: Request) => {
  answer(request)
    .then(
      ok => ({ ok }),
      ({ code, message }) => ({ code, message }),
    )
    .then(answer => {
      process.send?.(answer)
      if (request === 'close') process.disconnect?.()
    })
})
process.send?.({ ok: [] })
