import { html } from './html.js'

/** Longer ones are shown plainly: a span for each word of a large document is what makes pages slow. */
const maxHighlighted = 50_000
const maxShown = 500_000
const tokens = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/** A text as it reads best: JSON indented, anything else as it is. @returns {{text: string, isJson: boolean}} */
export function prettify(text) {
  if (!/^\s*[[{"]/.test(text)) return { text, isJson: false }
  try {
    return { text: JSON.stringify(JSON.parse(text), null, 2), isJson: true }
  } catch {
    return { text, isJson: false }
  }
}

/** @param {{text: string, label: string}} properties */
export function JsonView({ text, label }) {
  const pretty = prettify(text)
  const shown = pretty.text.length > maxShown ? `${pretty.text.slice(0, maxShown)}\n…` : pretty.text
  const highlighted = pretty.isJson && shown.length <= maxHighlighted
  return html`<pre class="json" tabindex="0" role="region" aria-label=${label}><code>${highlighted ? highlight(shown) : shown}</code></pre>`
}

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
