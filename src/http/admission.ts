import type { Limiter } from '../limits/limiter.ts'
import type { Grant } from '../protocol/grant.ts'
import type { Environment } from './context.ts'
import type { HubRequest } from './request.ts'
import { isGone } from './stream.ts'

/**
 * Counts a stream, from before it is looked for in the log until its response is over.
 * @throws HubError `connections_too_many`, `connections_of_ip_too_many`, `connections_of_subject_too_many`
 */
export async function admitStream(
  limiter: Limiter | undefined,
  request: HubRequest,
  grant: Grant | null,
  outgoing: Environment['Bindings']['outgoing'],
): Promise<void> {
  // A HEAD is answered and over: it is no stream. Of one who has gone nobody would be told the end.
  if (limiter === undefined || request.method === 'HEAD' || isGone(outgoing)) return
  const release = await limiter.admitStream({ address: request.senderAddress, subject: grant?.subject })
  if (isGone(outgoing)) release()
  else outgoing.once('close', release)
}
