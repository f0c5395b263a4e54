import { Empty } from './controls.js'
import { formatClock, formatRetry, shorten } from './format.js'
import { html } from './html.js'
import { useFrame } from './store.js'
import { UpdateDetail } from './update-detail.js'
import { useLayoutEffect, useMemo, useRef, useState } from './vendor/preact-hooks.js'

const rowPx = 30
const viewPx = 330
const maxCellCharacters = 400

/** The updates of a stream, newest first. Only the rows in sight are elements, however many there are. */
export function UpdateTable({ log, matchers, number, waiting }) {
  useFrame(log.changed)
  const scroller = useRef()
  const [top, setTop] = useState(0)
  const [selected, setSelected] = useState()
  const { shown } = log
  const at = place => shown[shown.length - 1 - place]
  useSteadyScroll(scroller, shown.at(-1)?.seq ?? 0, shown)
  // The same element as long as the same update is selected: what is above it may change with every frame.
  const detail = useMemo(
    () =>
      selected &&
      html`<${UpdateDetail} update=${selected} matchers=${matchers} onClose=${() => setSelected(undefined)} />`,
    [selected, matchers],
  )
  const place = selected === undefined ? -1 : placeOf(shown, selected.seq)
  const first = Math.max(0, Math.floor(top / rowPx) - 4)
  const last = Math.min(shown.length, first + Math.ceil(viewPx / rowPx) + 8)
  const matched = matchers.length === 1 ? matchers[0].pattern : `one of ${matchers.length}`
  const rowId = ({ seq }) => `update-${number}-${seq}`
  const select = next => {
    if (shown.length === 0) return
    const bounded = Math.max(0, Math.min(next, shown.length - 1))
    setSelected(at(bounded))
    const box = scroller.current
    if (bounded * rowPx < box.scrollTop) box.scrollTop = bounded * rowPx
    else if ((bounded + 2) * rowPx > box.scrollTop + box.clientHeight)
      box.scrollTop = (bounded + 2) * rowPx - box.clientHeight
  }
  const page = Math.floor(viewPx / rowPx) - 1
  const moves = {
    ArrowDown: () => select(place + 1),
    ArrowUp: () => select(place - 1),
    PageDown: () => select(place + page),
    PageUp: () => select(place - page),
    Home: () => select(0),
    End: () => select(shown.length - 1),
    Escape: () => setSelected(undefined),
  }
  const onKeyDown = event => {
    if (!Object.hasOwn(moves, event.key)) return
    event.preventDefault()
    moves[event.key]()
  }
  if (shown.length === 0) {
    if (log.filter !== '' && log.received > 0)
      return html`<${Empty} title="Nothing passes the filter">None of the updates kept has “${log.filter}” in its data, type or id.<//>`
    return html`<${Empty} title=${waiting ? 'Waiting for updates' : 'No update yet'}>
      ${waiting ? 'The stream is open: what is published for its matchers appears here at once.' : 'What comes appears here.'}
    <//>`
  }
  return html`<div class="updates" ref=${scroller} tabindex="0" role="grid" aria-label="Updates of stream ${number}" aria-rowcount=${shown.length + 1}
      aria-activedescendant=${place >= first && place < last ? rowId(selected) : undefined}
      onScroll=${event => setTop(event.currentTarget.scrollTop)} onKeyDown=${onKeyDown}>
      <div class="update-row update-head" role="row" aria-rowindex="1">
        ${['Time', 'Type', 'Id', 'Match', 'Retry', 'Data'].map(name => html`<span key=${name} role="columnheader" class="cell-${name.toLowerCase()}">${name}</span>`)}
      </div>
      <div class="update-space" role="rowgroup" style=${{ height: `${shown.length * rowPx}px` }}>
        <div role="presentation" style=${{ transform: `translateY(${first * rowPx}px)` }}>
          ${Array.from({ length: last - first }, (_, offset) => {
            const update = at(first + offset)
            return html`<div key=${update.seq} id=${rowId(update)} class="update-row" role="row" aria-rowindex=${first + offset + 2}
              aria-selected=${update.seq === selected?.seq} onClick=${() => setSelected(update)}>
              <span role="gridcell" class="cell-time">${formatClock(update.at)}</span>
              <span role="gridcell" class="cell-type">${update.type === '' ? html`<span class="hint">message</span>` : update.type}</span>
              <span role="gridcell" class="cell-id" title=${update.id}>${shorten(update.id)}</span>
              <span role="gridcell" class="cell-match">${matched}</span>
              <span role="gridcell" class="cell-retry">${update.retry === undefined ? '' : formatRetry(update.retry)}</span>
              <span role="gridcell" class="cell-data">${update.data.slice(0, maxCellCharacters)}</span>
            </div>`
          })}
        </div>
      </div>
    </div>
    ${detail}`
}

/** Newest first: the place of an update among those shown; -1: it is not there (any more). */
function placeOf(shown, seq) {
  let low = 0
  let high = shown.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    if (shown[middle].seq === seq) return shown.length - 1 - middle
    if (shown[middle].seq < seq) low = middle + 1
    else high = middle - 1
  }
  return -1
}

/** Who has scrolled down keeps the rows under their eyes while new ones come on top. */
function useSteadyScroll(scroller, newestSeq, shown) {
  const before = useRef(newestSeq)
  useLayoutEffect(() => {
    const box = scroller.current
    const place = before.current === newestSeq ? 0 : placeOf(shown, before.current)
    before.current = newestSeq
    if (box && box.scrollTop > 0 && place > 0) box.scrollTop += place * rowPx
  })
}
