import type { Batch } from '../hub/batch.ts'
import type { CodingName } from './accept-encoding.ts'
import { type Coding, createCoding } from './content-coding.ts'

/** Between a stream and its outlet: batches go in, and come out compressed in the same order, at once wherever that is quick. */
export class Compressor {
  readonly #coding: Coding
  readonly #put: (wire: Batch) => void
  #failed: (error: unknown) => void
  /** What is being compressed, in order: settled when the last of it has been put. */
  #last: Promise<void> | undefined
  #waitingBytes = 0

  /** `put` takes what is ready; `failed` is called when nothing more will come. */
  constructor(name: CodingName, put: (wire: Batch) => void, failed: (error: unknown) => void) {
    this.#coding = createCoding(name)
    this.#put = put
    this.#failed = failed
  }

  /** Bytes that are not compressed yet. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }

  write(batch: Batch): void {
    this.#putInOrder(this.#coding.encode(batch), batch.byteLength)
  }

  /** Puts what makes the stream complete. */
  finish(): void {
    const wire = this.#coding.finish()
    if (wire !== undefined) this.#putInOrder(wire, 0)
  }

  /** Calls `then` when everything written has been put: at once, or after what is being compressed. */
  whenPut(then: () => void): void {
    if (this.#last === undefined) then()
    else this.#last.then(then)
  }

  close(): void {
    this.#failed = ignore
    this.#coding.close()
  }

  #putInOrder(wire: Batch | Promise<Batch>, bytes: number): void {
    const before = this.#last
    if (before === undefined && !(wire instanceof Promise)) {
      this.#put(wire)
      return
    }
    this.#waitingBytes += bytes
    const last = this.#putAfter(before, wire).then(
      () => {
        this.#waitingBytes -= bytes
        if (this.#last === last) this.#last = undefined
      },
      error => this.#failed(error),
    )
    this.#last = last
  }

  async #putAfter(before: Promise<void> | undefined, wire: Batch | Promise<Batch>): Promise<void> {
    const [ready] = await Promise.all([wire, before])
    this.#put(ready)
  }
}

const ignore = () => {}
