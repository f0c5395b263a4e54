const focusable = 'button:enabled, input:enabled, select:enabled, textarea:enabled, summary, a[href], [tabindex="0"]'

/**
 * Where the focused element goes away with what it has done, a browser drops the focus to the page's beginning. It belongs to what has taken
 * the place: the neighbour in a list, there what is called the same; else what follows; else what is before.
 */
export function keepFocus(root) {
  /** The focused element's ancestors, innermost first, each with the branch that leads to the element and its place. */
  let path = []
  let focused
  root.addEventListener('focusin', ({ target }) => {
    focused = target
    path = []
    for (let child = target; child !== root; child = child.parentElement)
      path.push([child.parentElement, child, [...child.parentElement.children].indexOf(child)])
  })
  // Not for those who have left it themselves.
  root.addEventListener('focusout', () => setTimeout(() => isLost() && focused?.isConnected && forget()))
  const forget = () => {
    focused = undefined
  }
  new MutationObserver(() => {
    if (focused === undefined || focused.isConnected || !isLost()) return
    const name = focused.textContent.trim()
    forget()
    findHeir(path, name)?.focus()
  }).observe(root, { childList: true, subtree: true })
}

const isLost = () => document.activeElement === null || document.activeElement === document.body

function findHeir(path, name) {
  for (const [ancestor, branch, place] of path.filter(([{ isConnected }]) => isConnected)) {
    const children = [...ancestor.children]
    const isAlike = one => one !== branch && one.tagName === branch.tagName && one.className === branch.className
    const neighbour = children.slice(place).find(isAlike) ?? children.slice(0, place).findLast(isAlike)
    const near = neighbour === undefined ? [] : listFocusable(neighbour)
    const after = children.slice(place).flatMap(listFocusable)
    const before = children.slice(0, place).flatMap(listFocusable)
    const heir =
      near.find(element => element.textContent.trim() === name) ??
      near[0] ??
      after[0] ??
      before.findLast(element => element.matches('.primary')) ??
      before.at(-1)
    if (heir !== undefined) return heir
  }
}

const listFocusable = element =>
  [element, ...element.querySelectorAll('*')].filter(one => one.matches(focusable) && one.checkVisibility())
