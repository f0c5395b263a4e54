import * as lmdb from 'lmdb'

/** What lmdb-js tells of a commit that is neither done (0), nor to be told more of (1), nor waiting for a callback (2). */
const lastOrdinaryStatus = 2
const nothingMore = 1

/** The parts of lmdb-js that its types do not have. */
interface Environment {
  readonly env?: { readonly startWriting?: (address: number, done: (status: number) => unknown) => void }
}
const { lmdbError } = (lmdb as { nativeAddon?: { lmdbError?(status: number): never } }).nativeAddon ?? {}

/**
 * Why commits failed. lmdb-js writes each reason to standard error, with its stack, in the midst of the hub's log, and has no option against
 * that: so the reason is taken here, before it comes to know it, and it rejects the commit with none.
 */
export class CommitFailures {
  #last: unknown

  constructor(root: object) {
    const { env } = root as Environment
    const startWriting = env?.startWriting
    if (env === undefined || startWriting === undefined) return
    Object.defineProperty(env, 'startWriting', {
      value: (address: number, done: (status: number) => unknown) =>
        startWriting.call(env, address, status => done(this.#take(status))),
    })
  }

  /** The reason for an error that a commit was rejected with. */
  async causeOf(error: unknown): Promise<unknown> {
    const { commitError } = error as { commitError?: Promise<never> }
    if (commitError === undefined) return error
    return this.#last ?? (await commitError.catch(cause => cause))
  }

  #take(status: number): number {
    if (status >= 0 && status <= lastOrdinaryStatus) return status
    try {
      lmdbError?.(status)
      return status
    } catch (error) {
      this.#last = error
      return nothingMore
    }
  }
}
