const maxSentence = 500

/**
 * Sends a request and reads the whole answer.
 * @returns {Promise<{ok: boolean, status: number, text: string, headers: Headers, refusal?: Refusal}>} status 0: no answer came
 * @typedef {{status: number, code: string, message: string}} Refusal
 */
export async function ask(url, init = {}) {
  try {
    const response = await fetch(url, { cache: 'no-store', ...init })
    const text = await response.text()
    const { ok, status, headers } = response
    return { ok, status, text, headers, ...(ok ? {} : { refusal: readRefusal(status, text) }) }
  } catch (error) {
    if (error.name === 'AbortError') throw error
    const refusal = {
      status: 0,
      code: '',
      message: 'The hub does not answer: is it running, and is it reached from here?',
    }
    return { ok: false, status: 0, text: '', headers: new Headers(), refusal }
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
  if (code !== undefined) return { status, code, message }
  const isText = text.trim() !== '' && !text.trimStart().startsWith('<')
  return {
    status,
    code: '',
    message: isText ? text.trim().slice(0, maxSentence) : 'The answer says no more than that.',
  }
}
