import { html } from './html.js'
import { indentJson } from './json-text.js'

/** Longer ones are shown plainly: a span for each word of a large document is what makes pages slow. */
const maxHighlighted = 50_000
const maxShown = 500_000
const tokens = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/** Whether a text is a JSON document that is worth indenting. */
export function isJson(text) {
  if (!/^\s*[[{"]/.test(text)) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/**
 * A text as it reads best: JSON indented, anything else as it is.
 * @param {{text: string, label: string, json?: boolean}} properties `json`: whether it is known to be that
 */
export function JsonView({ text, label, json = isJson(text) }) {
  const shown = json ? indentJson(text, maxShown) : cut(text)
  const highlighted = json && shown.length <= maxHighlighted
  return html`<pre class="json" tabindex="0" role="region" aria-label=${label}><code>${highlighted ? highlight(shown) : shown}</code></pre>`
}

const cut = text => (text.length > maxShown ? `${text.slice(0, maxShown)}\n…` : text)

function highlight(text) {
  const parts = []
  let end = 0
  for (const match of text.matchAll(tokens)) {
    const [whole, string, colon, word] = match
    parts.push(text.slice(end, match.index))
    const kind = colon !== undefined ? 'key' : string !== undefined ? 'string' : word !== undefined ? 'word' : 'number'
    parts.push(html`<span class="json-${kind}">${string ?? whole}</span>`, colon)
    end = match.index + whole.length
  }
  return [...parts, text.slice(end)]
}
