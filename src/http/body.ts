import { isAscii, isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import { HubError, quote } from '../errors.ts'
import { Form } from './form.ts'

const formType = 'application/x-www-form-urlencoded'

/**
 * Reads a form body whole, at most `maxBytes` of it (0: no bound), and adds its pairs to `into`.
 * @throws HubError `body_too_large`, `body_malformed`
 */
export async function readForm(
  request: IncomingMessage | Http2ServerRequest,
  maxBytes: number,
  into: Form = new Form(),
): Promise<Form> {
  return parseForm(await readBody(request, maxBytes, 'max_request_body_size'), into)
}

/** The media type of a Content-Type header, in lower case; `undefined` where there is none. @throws HubError `body_malformed` */
export function mediaType(contentType: string | undefined): string | undefined {
  if (contentType === undefined || contentType.trim() === '') return undefined
  const type = (contentType.split(';', 1)[0] ?? '').trim().toLowerCase()
  if (/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(type)) return type
  throw new HubError('body_malformed', `Content-Type: ${quote(contentType)} is not a media type.`)
}

export const isForm = (contentType: string | undefined): boolean => mediaType(contentType) === formType

export const bodyWasRead = (): HubError =>
  new HubError(
    'configuration_invalid',
    'The body was read before the request came to the hub: the hub goes before what reads bodies, such as express.urlencoded().',
  )

const encoded = (coding: string): HubError =>
  new HubError('body_malformed', `The body has Content-Encoding: ${quote(coding, 40)}, and this hub decodes none.`, {
    mend: 'Send it as it is.',
  })

function parseForm(body: Buffer, into: Form): Form {
  if (isAscii(body)) return into.append(body.toString('latin1'), 'body')
  if (isUtf8(body)) return into.append(body.toString('utf8'), 'body')
  // Raw bytes that are not UTF-8: percent-encoded, they are told apart field by field.
  return into.append(
    body.toString('latin1').replace(/[\x80-\xff]/g, byte => `%${byte.charCodeAt(0).toString(16)}`),
    'body',
  )
}

/**
 * Reads a body whole, at most `maxBytes` of it (0: no bound); `setting` is where that is configured.
 * @throws HubError `body_too_large`, `body_malformed`
 */
export function readBody(
  request: IncomingMessage | Http2ServerRequest,
  maxBytes: number,
  setting?: string,
): Promise<Buffer> {
  const limit = maxBytes === 0 ? Number.POSITIVE_INFINITY : maxBytes
  const tooLarge = () => {
    // What is still under way is read and dropped: the answer reaches a client that is still sending.
    request.removeAllListeners('data').resume()
    return new HubError(
      'body_too_large',
      `The body has more than ${maxBytes} bytes${setting === undefined ? '' : ` (${setting})`}.`,
    )
  }
  return new Promise((resolve, reject) => {
    // It would never end. That is a defect of the application that this hub is a part of.
    if (request.readableEnded) return reject(bodyWasRead())
    const coding = request.headers['content-encoding']
    if (coding !== undefined && !/^(identity)?$/i.test(coding)) {
      request.resume()
      return reject(encoded(coding))
    }
    const cutOff = (cause?: Error) =>
      reject(new HubError('body_malformed', 'The connection closed before the body was complete.', { cause }))
    if (Number(request.headers['content-length']) > limit) return reject(tooLarge())
    const chunks: Buffer[] = []
    let length = 0
    request
      .on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length > limit) return reject(tooLarge())
        chunks.push(chunk)
      })
      .on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length)))
      .on('error', cutOff)
      .on('close', () => {
        if (!request.complete) cutOff()
      })
  })
}
