import type { Handler } from 'hono'
import { HubError } from '../errors.ts'
import type { Hub } from '../hub/hub.ts'
import { createUpdateId } from '../hub/update-id.ts'
import type { Limiter } from '../limits/limiter.ts'
import type { UpdateFields } from '../protocol/update.ts'
import { admitUpdate, requirePublisher } from './authorize.ts'
import { isForm, mediaType, readForm } from './body.ts'
import type { RequestBounds } from './bounds.ts'
import type { Environment } from './context.ts'
import { Form } from './form.ts'

export interface PublishOptions {
  readonly hub: Hub
  readonly maxRequestBodyBytes: number
  readonly bounds: RequestBounds
  /** `undefined`: there are no limits. */
  readonly limiter: Limiter | undefined
}

/** `POST /.well-known/mercure`: 200 with the update's id once it is stored. */
export function publishHandler({ hub, maxRequestBodyBytes, bounds, limiter }: PublishOptions): Handler<Environment> {
  return async c => {
    const { incoming } = c.env
    const request = c.get('request')
    const grant = requirePublisher(await request.authenticate('publisher'), request.presumedGeneration)
    await limiter?.admitPublish(grant.subject)
    const contentType = incoming.headers['content-type']
    const form = isForm(contentType) ? await readForm(incoming, maxRequestBodyBytes) : new Form()
    const fields = readFields(form)
    if (fields.topics.length === 0 && !isForm(contentType)) throw missingForm(contentType)
    const update = admitUpdate(fields, grant, bounds, createUpdateId)
    await hub.publish(update)
    // Not c.body(), which builds a Headers object: this is the path that must be fast.
    return new Response(update.id, {
      headers: { ...request.answerHeaders, 'Content-Type': 'text/plain; charset=utf-8' },
    })
  }
}

function readFields(form: Form): UpdateFields {
  return {
    topics: form.getAll('topic'),
    data: form.get('data') ?? '',
    id: form.get('id') ?? '',
    type: form.get('type') ?? '',
    retry: form.get('retry') ?? '',
    private: form.has('private'),
    notUtf8: form.notUtf8,
  }
}

function missingForm(contentType: string | undefined): HubError {
  const sent = contentType === undefined ? 'no Content-Type' : `Content-Type ${mediaType(contentType)}`
  return new HubError(
    'topic_missing',
    `Missing "topic" parameter: updates are sent as application/x-www-form-urlencoded, this request has ${sent}.`,
  )
}
