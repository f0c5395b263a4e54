import { HubError } from '../errors.ts'
import type { Hub } from '../hub/hub.ts'
import type { Limiter } from '../limits/limiter.ts'
import type { UpdateFields } from '../protocol/update.ts'
import { requirePublishing } from './authorize.ts'
import { readBody } from './body.ts'
import type { RequestBounds } from './bounds.ts'
import type { Environment } from './context.ts'
import { replayedHeaders } from './idempotency-key.ts'
import { type JsonFormat, readJsonUpdates } from './json-updates.ts'
import { describeRefusal, type RefusalObserver } from './problem.ts'
import { type Publisher, publishFields } from './publish-fields.ts'
import type { HubRequest } from './request.ts'

export interface PublishOptions extends RefusalObserver {
  readonly hub: Hub
  readonly maxRequestBodyBytes: number
  readonly bounds: RequestBounds
  /** `undefined`: there are no limits. */
  readonly limiter: Limiter | undefined
}

/** What became of one update of a batch. */
type Fate =
  | { readonly id: string; readonly replayed?: true }
  | { readonly error: { readonly code: string; readonly message: string; readonly status: number } }

/**
 * Publishes the updates of a JSON body, and answers in its format. One by itself is answered, or refused, as a form is. Of a batch each is: the
 * answer is 200, and says in the same order what became of each.
 */
export async function publishJson(
  format: JsonFormat,
  { incoming }: Environment['Bindings'],
  request: HubRequest,
  publisher: Publisher,
  options: PublishOptions,
): Promise<Response> {
  const { grant } = publisher
  requirePublishing(grant)
  const given = readJsonUpdates(await readBody(incoming, options.maxRequestBodyBytes, 'max_request_body_size'), format)
  if (given.kind === 'one') {
    await options.limiter?.admitPublish(grant.subject)
    const { id, isRepeat } = await publishFields(given.fields, publisher, options)
    const headers = { ...request.answerHeaders, 'Content-Type': 'application/json' }
    return new Response(toLine({ id }), { headers: isRepeat ? { ...headers, ...replayedHeaders } : headers })
  }
  if (given.updates.length > 0) await options.limiter?.admitPublish(grant.subject, given.updates.length)
  const fates = await publishBatch(given.updates, publisher, options)
  tellRefusals(fates, options)
  const answers = fates.map(fate => toAnswer(fate, options.authenticator.resourceOf(request)))
  const [type, text] =
    format === 'json' ? ['application/json', toLine(answers)] : ['application/x-ndjson', answers.map(toLine).join('')]
  return new Response(text, { headers: { ...request.answerHeaders, 'Content-Type': type } })
}

/** All in one turn: a log that commits in groups then stores them together. Each has a key of its own where the request has one. */
const publishBatch = (
  updates: readonly (UpdateFields | HubError)[],
  { grant, key }: Publisher,
  options: PublishOptions,
) =>
  Promise.allSettled(
    updates.map(async (update, place) => {
      if (update instanceof HubError) throw update
      return await publishFields(update, { grant, key: key && `${key} ${place}` }, options)
    }),
  )

type Settled = Awaited<ReturnType<typeof publishBatch>>[number]

function toAnswer(fate: Settled, resource: string): Fate {
  if (fate.status === 'fulfilled') {
    const { id, isRepeat } = fate.value
    return isRepeat ? { id, replayed: true } : { id }
  }
  const error: unknown = fate.reason
  if (!(error instanceof HubError))
    return { error: { code: 'internal', message: 'Internal Server Error', status: 500 } }
  const { code, message } = error
  return { error: { code, message, status: describeRefusal(error, resource).status } }
}

/** Counts each; the log gets a line for all, with the first of each code. A defect of ours it gets whole. */
function tellRefusals(fates: readonly Settled[], { log, refused }: RefusalObserver): void {
  const reasons = new Map<string, string>()
  let count = 0
  for (const fate of fates) {
    if (fate.status === 'fulfilled') continue
    const error: unknown = fate.reason
    count++
    if (error instanceof HubError) {
      refused(error.code)
      if (!reasons.has(error.code)) reasons.set(error.code, error.message)
    } else {
      refused('internal')
      log.error({ err: error }, 'publishing an update of a batch failed')
    }
  }
  if (count === 0) return
  log.info(
    { updates: fates.length, refused: count, reasons: Object.fromEntries(reasons) },
    'updates of a batch refused',
  )
}

const toLine = (value: object): string => `${JSON.stringify(value)}\n`
