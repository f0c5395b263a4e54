/** Updates as NDJSON: one JSON object a line, `data` as it came. */
export const toNdjson = (updates, matchers) =>
  updates
    .map(({ at, id, type, data, retry }) =>
      JSON.stringify({
        time: new Date(at).toISOString(),
        id,
        ...(type === '' ? {} : { type }),
        ...(retry === undefined ? {} : { retry }),
        data,
        matchers: matchers.map(({ pattern }) => pattern),
      }),
    )
    .map(line => `${line}\n`)
    .join('')

/** Hands a text to the user as a file. */
export function save(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }))
  Object.assign(document.createElement('a'), { href: url, download: name }).click()
  // The download has its own hold on it by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

/** @returns {Promise<boolean>} whether the text is on the clipboard now */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copyBySelection(text)
  }
}

/** Where the page has come over plain HTTP from another machine, there is no clipboard but this. */
function copyBySelection(text) {
  const field = Object.assign(document.createElement('textarea'), { value: text, readOnly: true })
  const focused = document.activeElement
  document.body.append(field)
  field.select()
  const copied = document.execCommand('copy')
  field.remove()
  focused?.focus()
  return copied
}
