import type { Context } from 'hono'
import type * as z from 'zod'
import { HubError } from '../errors.ts'
import { mediaType, readBody } from './body.ts'
import type { Environment } from './context.ts'

/** Room for a token of 64 KiB among the rest, in bytes. */
const maxBodyBytes = 128 * 1024

/**
 * The body of a request as JSON of this shape. A page of another origin cannot send this type without a preflight, which it does not get.
 * @throws HubError `body_malformed`, `body_too_large`
 */
export async function readJson<T>({ env }: Context<Environment>, shape: z.ZodType<T>): Promise<T> {
  const type = mediaType(env.incoming.headers['content-type'])
  if (type !== 'application/json') {
    throw malformed(`this is read as application/json, and the request has ${type ?? 'no Content-Type'}`)
  }
  const { success, data, error } = shape.safeParse(parse(await readBody(env.incoming, maxBodyBytes)))
  if (success) return data
  const { path, message } = error.issues[0]!
  throw malformed(`${path.length === 0 ? '' : `${path.join('.')}: `}${message}`)
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw malformed('it is not JSON in UTF-8')
  }
}

const malformed = (fault: string): HubError => new HubError('body_malformed', `The body: ${fault}.`)
