import type { AllowedOrigins } from './origin.ts'

const allowedMethods = 'GET, HEAD, POST, QUERY'
const allowedHeaders = 'authorization, cache-control, content-type, last-event-id'
/** What scripts of other origins may read of an answer: where a stream begins, and from where to follow a list. */
const exposedHeaders = 'Link, ETag, Last-Event-ID, Mercure-Last-Event-ID'
const preflightSeconds = '7200'

/** Answers to pages of other origins (Fetch Standard, "HTTP extensions"). A request of an origin that is not allowed runs all the same: its page cannot read the answer. */
export function corsHeaders(origin: string | undefined, allowed: AllowedOrigins): Record<string, string> {
  if (allowed.any && origin !== undefined) {
    return { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': exposedHeaders }
  }
  const vary = { Vary: 'Origin' }
  if (origin === undefined || !allowed.allows(origin)) return vary
  return {
    ...vary,
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Allow-Credentials': 'true',
    'Access-Control-Expose-Headers': exposedHeaders,
  }
}

/** What a preflight is told besides. */
export const preflightHeaders: Record<string, string> = {
  'Access-Control-Allow-Methods': allowedMethods,
  'Access-Control-Allow-Headers': allowedHeaders,
  'Access-Control-Max-Age': preflightSeconds,
}
