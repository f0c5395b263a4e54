import { describeCharacter } from './format.js'

const maxSentence = 500
/** Statuses that pass by themselves; any other refusal would be the same again. */
const passing = new Set([408, 425, 429, 500, 502, 503, 504])

/** Whether the same request may be answered otherwise soon. @param {Refusal} refusal */
export const passes = ({ status, sent }) => sent && (status === 0 || passing.has(status))

/**
 * Sends a request and reads the whole answer.
 * @returns {Promise<{ok: boolean, status: number, text: string, headers: Headers, refusal?: Refusal}>} status 0: no answer came
 * @typedef {{status: number, code: string, message: string, sent: boolean}} Refusal `sent: false`: the browser can send no such request
 */
export async function ask(url, init = {}) {
  const message = findUnsendable(init.headers)
  if (message !== undefined) return noAnswer({ message, sent: false })
  try {
    const response = await fetch(url, { cache: 'no-store', ...init })
    const text = await response.text()
    const { ok, status, headers } = response
    return { ok, status, text, headers, ...(ok ? {} : { refusal: readRefusal(status, text) }) }
  } catch (error) {
    if (error.name === 'AbortError') throw error
    return noAnswer({ message: 'The hub does not answer: is it running, and is it reached from here?', sent: true })
  }
}

const noAnswer = refusal => ({
  ok: false,
  status: 0,
  text: '',
  headers: new Headers(),
  refusal: { status: 0, code: '', ...refusal },
})

/**
 * `fetch` fails for a header that cannot be sent as it does where nobody answers, so that is found out before.
 * @param {Record<string, string>} headers
 * @returns what cannot be sent, as a sentence; `undefined`: all can
 */
export function findUnsendable(headers = {}) {
  for (const [name, value] of Object.entries(headers)) {
    const [character] = /[\0\r\n]|[^\0-\xff]/u.exec(value) ?? []
    if (character !== undefined)
      return `The header ${name} cannot carry ${describeCharacter(character)}: nothing was sent.`
  }
}

/** The same for JSON. @returns the answer with `json`; a body that is none is a refusal */
export async function askJson(url, init) {
  const answer = await ask(url, init)
  if (!answer.ok) return answer
  try {
    return { ...answer, json: JSON.parse(answer.text) }
  } catch {
    const refusal = {
      sent: true,
      status: answer.status,
      code: '',
      message: 'What came is not JSON: does something else answer at this address?',
    }
    return { ...answer, ok: false, refusal }
  }
}

export const postJson = (url, body, init = {}) =>
  askJson(url, {
    ...init,
    method: 'POST',
    headers: { ...init.headers, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })

/** A refusal of the hub is one line, `code: sentence`; what stands between here and the hub may say anything. */
export function readRefusal(status, text) {
  const [, code, message] = /^([a-z_]+): (.*)$/s.exec(text.trim()) ?? []
  if (code !== undefined) return { sent: true, status, code, message }
  const isText = text.trim() !== '' && !text.trimStart().startsWith('<')
  return {
    sent: true,
    status,
    code: '',
    message: isText ? text.trim().slice(0, maxSentence) : 'The answer says no more than that.',
  }
}
