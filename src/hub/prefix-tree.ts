/** Its key is the labels on the way to it, joined. No node but the root has neither a value nor two children. */
interface Node<Value> {
  label: string
  value: Value | undefined
  /** By the first UTF-16 code unit of their labels. */
  children: Map<number, Node<Value>> | undefined
}

/** Values by key, found by a text that begins with the key: linear in the text, however many keys there are (a radix tree). */
export class PrefixTree<Value> {
  readonly #root: Node<Value> = { label: '', value: undefined, children: undefined }

  get isEmpty(): boolean {
    return this.#root.value === undefined && this.#root.children === undefined
  }

  /** There is no key but perhaps the empty one. */
  get isTrivial(): boolean {
    return this.#root.children === undefined
  }

  /**
   * Calls `found` with the value of each key that the text begins with from an offset on, shortest key first, and the offset
   * after the key.
   */
  match(text: string, from: number, found: (value: Value, end: number) => void): void {
    let node = this.#root
    let at = from
    for (;;) {
      if (node.value !== undefined) found(node.value, at)
      const child = node.children?.get(text.charCodeAt(at))
      if (child === undefined || !text.startsWith(child.label, at)) return
      node = child
      at += child.label.length
    }
  }

  /** The value of this very key. */
  get(key: string): Value | undefined {
    return this.#path(key)?.at(-1)?.value
  }

  set(key: string, value: Value): void {
    let node = this.#root
    let at = 0
    while (at < key.length) {
      const unit = key.charCodeAt(at)
      const child = node.children?.get(unit)
      if (child === undefined) {
        node.children ??= new Map()
        node.children.set(unit, { label: key.slice(at), value, children: undefined })
        return
      }
      const shared = sharedLength(child.label, key, at)
      if (shared < child.label.length) split(child, shared)
      node = child
      at += shared
    }
    node.value = value
  }

  delete(key: string): void {
    const path = this.#path(key)
    const node = path?.at(-1)
    if (path === undefined || node === undefined) return
    node.value = undefined
    const parent = path.at(-2)
    if (parent === undefined) return
    if (node.children === undefined) removeChild(parent, node)
    else joinWithOnlyChild(node)
    if (parent !== this.#root) joinWithOnlyChild(parent)
  }

  /** The nodes from the root to that of the key. */
  #path(key: string): Node<Value>[] | undefined {
    const path = [this.#root]
    let at = 0
    while (at < key.length) {
      const child = path.at(-1)!.children?.get(key.charCodeAt(at))
      if (child === undefined || !key.startsWith(child.label, at)) return undefined
      path.push(child)
      at += child.label.length
    }
    return path
  }
}

/** How many code units the label has in common with the key from `at` on; at least the first. */
function sharedLength(label: string, key: string, at: number): number {
  let length = 1
  while (length < label.length && label.charCodeAt(length) === key.charCodeAt(at + length)) length++
  return length
}

function split<Value>(node: Node<Value>, length: number): void {
  const rest = { ...node, label: node.label.slice(length) }
  node.label = node.label.slice(0, length)
  node.value = undefined
  node.children = new Map([[rest.label.charCodeAt(0), rest]])
}

function removeChild<Value>(parent: Node<Value>, child: Node<Value>): void {
  parent.children!.delete(child.label.charCodeAt(0))
  if (parent.children!.size === 0) parent.children = undefined
}

function joinWithOnlyChild<Value>(node: Node<Value>): void {
  if (node.value !== undefined || node.children?.size !== 1) return
  const [child] = node.children.values()
  node.label += child!.label
  node.value = child!.value
  node.children = child!.children
}
