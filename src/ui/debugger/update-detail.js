import { CopyButton } from './controls.js'
import { formatClock, formatCount, formatRetry } from './format.js'
import { html } from './html.js'
import { isJson, JsonView } from './json-view.js'
import { topicsOfUpdate } from './publishing.js'

/** All that is known of one update. */
export function UpdateDetail({ update, matchers, onClose }) {
  const { at, id, type, retry, data } = update
  const topics = topicsOfUpdate(id)
  const json = isJson(data)
  return html`<section class="detail" aria-label="The selected update">
    <dl class="facts">
      <dt>Id</dt><dd><code>${id === '' ? 'none' : id}</code></dd>
      <dt>Type</dt><dd>${type === '' ? 'message, as none is set' : html`<code>${type}</code>`}</dd>
      <dt>Received</dt><dd>${formatClock(at)}</dd>
      <dt>Retry</dt><dd>${retry === undefined ? 'unchanged' : `${formatRetry(retry)} from now on`}</dd>
      <dt>Matched by</dt>
      <dd>${matchers.length > 1 && 'one of '}${matchers.map(({ pattern }, place) => html`${place > 0 && ', '}<code key=${place}>${pattern}</code>`)}</dd>
      ${topics !== undefined && html`<dt>Topics</dt><dd>${topics.map((topic, place) => html`${place > 0 && ', '}<code key=${place}>${topic}</code>`)}</dd>`}
    </dl>
    <div class="row">
      <span class="hint grow">${formatCount(data.length, 'character')}${json ? ' of JSON' : ''}</span>
      <${CopyButton} text=${() => data} label="Copy data">Copy data<//>
      <${CopyButton} text=${() => id} label="Copy id">Copy id<//>
      <button type="button" class="quiet" onClick=${onClose}>Close</button>
    </div>
    <${JsonView} text=${data} json=${json} label="Data" />
  </section>`
}
