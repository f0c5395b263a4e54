import type { Database } from 'lmdb'
import { TopicBlock } from './topic-block.ts'

/** An entry, as far as it is indexed by its topics. */
interface Indexed {
  readonly update: { readonly topics: readonly string[] }
  readonly bytes: Uint8Array
}

/** The blocks of a log: a table of those that are complete, by the number of their last entry, and the one that is not. */
export class TopicBlocks {
  readonly table: Database<Buffer, number>
  #open: TopicBlock

  /** `open`: what is in the log after the last stored block. */
  constructor(table: Database<Buffer, number>, open: TopicBlock) {
    this.table = table
    this.#open = open
  }

  /** The blocks that further entries complete, and what is to be done once these are stored. */
  extend(appended: readonly Indexed[]): { readonly complete: readonly TopicBlock[]; readonly settle: () => void } {
    const complete: TopicBlock[] = []
    let open = this.#open.copy()
    for (const { update, bytes } of appended) {
      open.add(update.topics, bytes.byteLength)
      if (!open.isComplete) continue
      complete.push(open)
      open = new TopicBlock(open.last + 1)
    }
    return {
      complete,
      settle: () => {
        this.#open = open
      },
    }
  }

  /** Part of a transaction. */
  put(complete: readonly TopicBlock[]): void {
    for (const block of complete) this.table.put(block.last, block.encode())
  }

  /** Part of a transaction: the blocks that end with an entry up to this one. */
  removeUpTo(sequence: number): void {
    for (const last of [...this.table.getKeys({ start: 0, end: sequence + 1 })]) this.table.remove(last)
  }
}
