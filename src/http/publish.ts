import type { Handler } from 'hono'
import { HubError } from '../errors.ts'
import type { UpdateFields } from '../protocol/update.ts'
import { requirePublisher } from './authorize.ts'
import { isForm, mediaType, readForm } from './body.ts'
import type { Environment } from './context.ts'
import { Form } from './form.ts'
import { readIdempotencyKey, replayedHeaders } from './idempotency-key.ts'
import { jsonFormatOf } from './json-updates.ts'
import { publishFields } from './publish-fields.ts'
import { type PublishOptions, publishJson } from './publish-json.ts'

/** `POST /.well-known/mercure`: 200 with the update's id once it is stored; of a batch, with what became of each. */
export function publishHandler(options: PublishOptions): Handler<Environment> {
  const { maxRequestBodyBytes, limiter } = options
  return async c => {
    const { incoming } = c.env
    const request = c.get('request')
    const grant = requirePublisher(await request.authenticate('publisher'), request.presumedGeneration)
    const contentType = incoming.headers['content-type']
    const format = jsonFormatOf(mediaType(contentType))
    if (format !== undefined) {
      return await publishJson(format, c.env, request, { grant, key: readIdempotencyKey(request) }, options)
    }
    await limiter?.admitPublish(grant.subject)
    const key = readIdempotencyKey(request)
    const form = isForm(contentType) ? await readForm(incoming, maxRequestBodyBytes) : new Form()
    const fields = readFields(form)
    if (fields.topics.length === 0 && !isForm(contentType)) throw missingForm(contentType)
    const { id, isRepeat } = await publishFields(fields, { grant, key }, options)
    // Not c.body(), which builds a Headers object: this is the path that must be fast.
    const headers = { ...request.answerHeaders, 'Content-Type': 'text/plain; charset=utf-8' }
    return new Response(id, { headers: isRepeat ? { ...headers, ...replayedHeaders } : headers })
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
    `Missing "topic" parameter: updates are sent as application/x-www-form-urlencoded, application/json or application/x-ndjson, this request has ${sent}.`,
  )
}
