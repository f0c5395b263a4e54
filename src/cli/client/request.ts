import { HubError } from '../../errors.ts'
import { describeFailure } from '../connection-failure.ts'
import { printable } from '../printable.ts'
import type { RemoteHub } from './hub-options.ts'

/** How long a hub has for the head of its answer. */
const patienceMs = 60_000
/** A refusal is a sentence. */
const maxSentenceLength = 1000

/** What the hub has answered, other than 200. */
export class Refusal extends HubError {
  readonly status: number

  constructor(message: string, status: number, retryAfterMs: number | undefined) {
    super('transport_unavailable', message, { retryAfterMs })
    this.status = status
  }
}

/** The same request may succeed later: nobody answers, or who does is not able to. */
export function mayPass(error: unknown): boolean {
  if (error instanceof Refusal) return error.status >= 500 || error.status === 408 || error.status === 429
  return error instanceof HubError
}

/** Asks the hub; resolves with an answer of status 200, or 202. @throws Refusal, HubError `transport_unavailable` when there is no answer */
export async function request({ url, token }: RemoteHub, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers)
  if (token !== undefined) headers.set('Authorization', `Bearer ${token}`)
  const patience = new AbortController()
  const timer = setTimeout(() => patience.abort(new Error(`no answer for ${patienceMs / 1000} s`)), patienceMs)
  const signal = AbortSignal.any([patience.signal, ...(init.signal == null ? [] : [init.signal])])
  try {
    // A redirection would make a GET of a POST.
    const response = await fetch(url, { ...init, headers, signal, redirect: 'manual' })
    if (response.status === 200 || response.status === 202) return response
    throw await readRefusal({ url, token }, response)
  } catch (error) {
    if (error instanceof HubError || init.signal?.aborted === true) throw error
    throw connectionLost(`No hub answers at ${printable(url.href)}`, url, error)
  } finally {
    clearTimeout(timer)
  }
}

/** What `fetch` and the bodies of its answers throw, as a sentence. */
export function connectionLost(what: string, url: URL, error: unknown): HubError {
  const { cause = error } = error as Error
  return new HubError('transport_unavailable', `${what}: ${describeFailure(cause as Error, url, trust)}.`, {
    cause: error,
  })
}

const trust = 'NODE_EXTRA_CA_CERTS can name a file with the certificate of who has'

async function readRefusal({ url, token }: RemoteHub, response: Response): Promise<Refusal> {
  const { status, statusText, headers } = response
  const isSentence = /^text\/plain\b/i.test(headers.get('Content-Type') ?? '')
  const sentence = isSentence ? firstLine(await response.text()) : ''
  if (!isSentence) await response.body?.cancel()
  const location = headers.get('Location')
  const hint =
    location === null ? '' : `: it refers to ${printable(URL.parse(location, url)?.href ?? location)}, give that URL`
  const said = sentence === '' ? `${statusText || 'refused'}${hint}.` : sentence
  const remedy = status === 401 && token === undefined ? ' Give it with --token or MERCURE_JWT.' : ''
  return new Refusal(
    `${printable(url.href)}: ${status} ${said}${remedy}`,
    status,
    readRetryAfter(headers.get('Retry-After')),
  )
}

const firstLine = (text: string): string => printable(text.trim().split('\n', 1)[0]!.slice(0, maxSentenceLength))

/** RFC 9110, section 10.2.3: seconds, or a date. */
function readRetryAfter(text: string | null): number | undefined {
  if (text === null) return undefined
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}
