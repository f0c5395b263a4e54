import type { AllowedOrigins } from './origin.ts'

const allowedMethods = 'GET, HEAD, POST, QUERY'
const allowedHeaders = 'authorization, cache-control, content-type, idempotency-key, last-event-id'
/** What scripts of other origins may read of an answer: where a stream begins, from where to follow a list, and when to come back. */
const exposedHeaders = 'Link, ETag, Idempotency-Replayed, Last-Event-ID, Mercure-Last-Event-ID, Retry-After'
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

/** The answer to a preflight: what pages of an allowed origin may send. Others are told nothing, and their browsers go no further. */
export function preflightHeaders(origin: string | undefined, allowed: AllowedOrigins): Record<string, string> {
  const headers = corsHeaders(origin, allowed)
  if (!('Access-Control-Allow-Origin' in headers)) return headers
  return {
    ...headers,
    'Access-Control-Allow-Methods': allowedMethods,
    'Access-Control-Allow-Headers': allowedHeaders,
    'Access-Control-Max-Age': preflightSeconds,
  }
}
