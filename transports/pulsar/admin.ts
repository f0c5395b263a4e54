import { readFile } from 'node:fs/promises'
import * as http from 'node:http'
import * as https from 'node:https'
import { Failure } from '../backend/failure.ts'
import { formatTopic, type Topic, topicPath } from './client.ts'
import type { Location } from './location.ts'
import { before, type Position } from './position.ts'

const answerMs = 5000
const maxAnswerBytes = 8 << 20

/** A ledger of a topic: so many entries, from 0 on. */
export interface Ledger {
  readonly ledger: number
  readonly entries: number
}

/** How long a topic keeps what no subscription needs; -1: for ever, or any amount. */
export interface Retention {
  readonly retentionTimeInMinutes: number
  readonly retentionSizeInMB: number
}

/** Pulsar's admin API, as far as a hub uses it. */
export class Admin {
  readonly #base: URL
  readonly #topic: Topic
  readonly #location: Location

  constructor(base: URL, location: Location) {
    this.#base = base
    this.#topic = location.topic
    this.#location = location
  }

  /** How many partitions the topic has, 0 for one that is not partitioned; `undefined`: there is no such topic. @throws Failure */
  async partitions(): Promise<number | undefined> {
    const answer = await this.#ask('GET', '/partitions?checkAllowAutoCreation=false')
    if (answer.status === 404) return undefined
    return (expect(answer) as { partitions: number }).partitions
  }

  /** Makes the topic, with no partitions. @throws Failure */
  async create(): Promise<void> {
    const answer = await this.#ask('PUT', '')
    // Another hub may have been faster.
    if (answer.status !== 409) expect(answer)
  }

  /** The ledgers, oldest first. @throws Failure */
  async ledgers(): Promise<Ledger[]> {
    const { ledgers, currentLedgerEntries } = expect(await this.#ask('GET', '/internalStats')) as {
      ledgers: readonly { ledgerId: number; entries: number }[]
      currentLedgerEntries: number
    }
    // The one that is written to is counted apart.
    return ledgers.map(({ ledgerId, entries }, i) => ({
      ledger: ledgerId,
      entries: i === ledgers.length - 1 ? Math.max(entries, currentLedgerEntries) : entries,
    }))
  }

  /** The newest message. @throws Failure */
  async end(): Promise<Position> {
    return toPosition(expect(await this.#ask('GET', '/lastMessageId')))
  }

  /** The place before the first message that was published at a time, in milliseconds since 1970, or later. @throws Failure */
  async placeOfTime(timeMs: number): Promise<Position> {
    return before(toPosition(expect(await this.#ask('GET', `/messageid/${timeMs}`))))
  }

  /** What holds for the topic, be it set there, for its namespace, or for all. @throws Failure */
  async retention(): Promise<Retention | undefined> {
    return (expect(await this.#ask('GET', '/retention?applied=true')) as Retention | null) ?? undefined
  }

  /** @throws Failure */
  async retain(retention: Retention): Promise<void> {
    expect(await this.#ask('POST', '/retention', retention))
  }

  async #ask(method: string, path: string, body?: unknown): Promise<Answer> {
    const url = new URL(`/admin/v2/${topicPath(this.#topic)}${path}`, this.#base)
    const { token, tlsCaFile } = this.#location
    const headers: Record<string, string> = { 'Content-Type': 'application/json', Accept: 'application/json' }
    if (token !== undefined) headers.Authorization = `Bearer ${token}`
    const ca = tlsCaFile === undefined ? {} : { ca: await readFile(tlsCaFile, 'utf8') }
    return await ask(url, { method, headers, ...ca }, body === undefined ? undefined : JSON.stringify(body))
  }
}

function toPosition(answer: unknown): Position {
  const { ledgerId, entryId } = answer as { ledgerId: number; entryId: number }
  return { ledger: ledgerId, entry: entryId, index: -1, partition: -1 }
}

interface Answer {
  readonly status: number
  readonly text: string
}

async function ask(url: URL, options: https.RequestOptions, body?: string): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const request = (url.protocol === 'https:' ? https : http).request(url, { ...options, agent: false })
  request.on('error', reject)
  request.on('response', response => {
    let text = ''
    response.setEncoding('utf8').on('data', chunk => {
      text += chunk
      if (text.length > maxAnswerBytes) request.destroy(new Error('its answer has no end'))
    })
    response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    response.on('error', reject)
  })
  const timer = setTimeout(() => request.destroy(new Error(`no answer within ${answerMs / 1000} s`)), answerMs)
  request.end(body)
  try {
    return await promise
  } catch (error) {
    throw Failure.of(error)
  } finally {
    clearTimeout(timer)
  }
}

function expect({ status, text }: Answer): unknown {
  if (status >= 200 && status < 300) {
    try {
      return text === '' ? undefined : JSON.parse(text)
    } catch {
      throw new Failure('misconfigured', 'what answers there is not the admin API')
    }
  }
  const [, reason = `status ${status}`] = /"reason":"([^"]+)"/.exec(text) ?? []
  throw new Failure(
    status === 401 || status === 403 || status === 404 ? 'misconfigured' : 'refused',
    reason.slice(0, 300),
    String(status),
  )
}

/** What an operator runs to have the topic keep its messages. */
export const retentionCommand = (topic: Topic, { retentionTimeInMinutes, retentionSizeInMB }: Retention): string =>
  `pulsar-admin topicPolicies set-retention ${formatTopic(topic)} --time ${retentionTimeInMinutes < 0 ? -1 : `${retentionTimeInMinutes}m`} --size ${retentionSizeInMB < 0 ? -1 : `${retentionSizeInMB}M`}`
