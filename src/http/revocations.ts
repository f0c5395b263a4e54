import type { Context, Hono } from 'hono'
import * as z from 'zod'
import { HubError } from '../errors.ts'
import type { Revocation, RevocationKind } from '../hub/revocation/revocation.ts'
import type { Outcome, Revocations } from '../hub/revocation/revocations.ts'
import type { Environment } from './context.ts'
import { readJson } from './json-body.ts'
import type { RefusalObserver } from './problem.ts'
import { securityHeaders } from './request.ts'

const collectionPath = '/revocations'
const itemPath = `${collectionPath}/:id`
/** As JSON: with the rest it must fit into the shortest message that nodes may send each other. */
const maxValueBytes = 512
/** The last moment of the year 9999: a greater number is one of milliseconds. */
const latestSeconds = 253_402_300_799

const value = z
  .string('is not a string')
  .min(1, 'is empty')
  .refine(text => Buffer.byteLength(JSON.stringify(text)) <= maxValueBytes, `has more than ${maxValueBytes} bytes`)
const until = z.union(
  [z.string(), z.number(), z.null()],
  'is neither a date and time nor a number of seconds since 1970',
)
const shape = z.strictObject({
  subject: value.optional(),
  token_id: value.optional(),
  subscription: value.optional(),
  until: until.optional(),
})
const kinds: readonly RevocationKind[] = ['subject', 'token_id', 'subscription']

/** `GET` and `POST /revocations`, `DELETE /revocations/{id}`. */
export function addRevocations(
  app: Hono<Environment>,
  revocations: Revocations,
  log: Pick<RefusalObserver['log'], 'info'>,
): void {
  app.get(collectionPath, c => answerJson(c, { revocations: revocations.list.inForce.map(describe) }))
  app.post(collectionPath, async c => {
    const { kind, value, until } = readRequest(await readJson(c, shape))
    const outcome = await revocations.revoke(kind, value, until)
    if (outcome === undefined) {
      throw new HubError('not_found', 'No node that has answered has this subscriber.')
    }
    const { revocation, closed, nodes, silentNodes } = outcome
    const warning = warnOf(outcome)
    const answer = {
      revoked: revocation === undefined ? null : describe(revocation),
      streams_closed: closed,
      nodes,
      nodes_silent: silentNodes,
      ...(warning !== undefined && { warning }),
    }
    log.info(answer, 'revoked')
    return answerJson(c, answer, warning === undefined ? 200 : 202)
  })
  app.delete(itemPath, async c => {
    const id = c.req.param('id')
    const outcome = await revocations.takeBack(id)
    if (outcome === undefined) throw new HubError('not_found', 'There is no such revocation.')
    const warning = warnOf(outcome)
    log.info({ id, ...(warning !== undefined && { warning }) }, 'revocation taken back')
    return warning === undefined ? c.body(null, 204, securityHeaders) : answerJson(c, { warning }, 202)
  })
  const refuse = (methods: string) => (c: Context<Environment>) => {
    c.header('Allow', methods)
    throw new HubError('method_not_allowed', `This path knows ${methods}.`)
  }
  app.all(collectionPath, refuse('GET, HEAD, POST'))
  app.all(itemPath, refuse('DELETE'))
}

/** What was done here, and is not known to be done everywhere and for good; `undefined`: it is. */
function warnOf({ isSpread, isUnkept }: Outcome): string | undefined {
  const warnings = [
    ...(isSpread ? [] : ['The log is away: other nodes could not be told, and are told when it is back.']),
    ...(isUnkept ? ['The log could not keep it: it is forgotten if all nodes stop. Send it again later.'] : []),
  ]
  return warnings.length === 0 ? undefined : warnings.join(' ')
}

/** @throws HubError `body_malformed` */
function readRequest(body: z.output<typeof shape>): { kind: RevocationKind; value: string; until: number | null } {
  const [kind, second] = kinds.filter(kind => body[kind] !== undefined)
  if (kind === undefined || second !== undefined) {
    throw malformed('give one of "subject", "token_id", "subscription"')
  }
  const value = body[kind]!
  return {
    kind,
    value: kind === 'subscription' ? readSubscriber(value) : value,
    until: readUntil(body.until ?? null, Date.now()),
  }
}

/** A subscription is addressed by a path that ends with its subscriber; a subscriber alone is taken, too. */
function readSubscriber(text: string): string {
  const [, encoded = ''] = /([^/]*)$/.exec(text) ?? []
  const subscriber = encoded.replace(/%3a/gi, ':')
  if (/^urn:uuid:[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(subscriber)) return subscriber
  throw malformed('subscription: is no id of a subscription or a subscriber (urn:uuid:…)')
}

/** In milliseconds since 1970. */
function readUntil(until: string | number | null, now: number): number | null {
  if (until === null) return null
  if (typeof until === 'number' && until > latestSeconds) {
    throw malformed('until: is after the year 9999; it is in seconds since 1970, not in milliseconds')
  }
  const ms = typeof until === 'number' ? until * 1000 : isTime.test(until) ? Date.parse(until) : Number.NaN
  if (Number.isNaN(ms) || (typeof until === 'string' && !isDay(until))) {
    throw malformed('until: is no date and time like 2030-01-31T12:00:00Z')
  }
  if (ms <= now) throw malformed('until: is past')
  return ms
}
/** RFC 3339: with its offset from UTC, which nobody is to guess. */
const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/i

/** Date.parse makes the first of March of a 29th of February that is none. */
const isDay = (time: string): boolean => {
  const [year = 0, month = 0, day = 0] = time.slice(0, 10).split('-').map(Number)
  return new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day
}

const describe = ({ id, kind, value, revokedAt, until }: Revocation): object => ({
  id,
  [kind]: value,
  revoked_at: new Date(revokedAt).toISOString(),
  until: until === null ? null : new Date(until).toISOString(),
})

const answerJson = (c: Context<Environment>, document: object, status: 200 | 202 = 200): Response =>
  c.body(`${JSON.stringify(document)}\n`, status, {
    ...securityHeaders,
    'Content-Type': 'application/json',
    'Cache-Control': 'no-store',
  })

const malformed = (fault: string): HubError => new HubError('body_malformed', `The body: ${fault}.`)
