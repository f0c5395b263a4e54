import { quote } from '../../errors.ts'

/** What went wrong, counted by its sentence. */
export class Failures {
  readonly #counts = new Map<string, number>()

  add(what: string, times = 1): void {
    // A hub that puts an id into each sentence must not fill the memory.
    const known = this.#counts.size < 100 || this.#counts.has(what) ? what : 'others'
    this.#counts.set(known, (this.#counts.get(known) ?? 0) + times)
  }

  /** The most frequent first. */
  list(): { readonly what: string; readonly count: number }[] {
    return [...this.#counts].map(([what, count]) => ({ what, count })).sort((a, b) => b.count - a.count)
  }
}

/** `publishing: 401 token_missing: …`: a refusal in the hub's words, of which the first line is enough. */
export function describeRefusal(during: string, status: number, body: string): string {
  const [line = ''] = body.trimStart().split(/[\r\n]/)
  // Without the quotes, which are not the hub's.
  const sentence = quote(line).slice(1, -1).replaceAll('\\"', '"')
  return `${during}: ${status} ${sentence}`.trimEnd()
}
