import { HubError } from '../../src/errors.ts'
import { Failure } from '../backend/failure.ts'

/** Which of Pulsar's settings bounds what it takes. */
export type SizeSetting = 'webSocketMaxTextFrameSize' | 'maxMessageSize'

/** A message that Pulsar does not take for its size, alone. In bytes, as the setting counts them; `undefined`: not known. */
export class TooLarge extends Failure {
  readonly setting: SizeSetting
  readonly #bytes: number | undefined
  readonly #limit: number | undefined

  constructor(setting: SizeSetting, bytes?: number, limit?: number) {
    super('refused', `an update is larger than ${setting}${limit === undefined ? '' : ` (${limit})`}`)
    this.setting = setting
    this.#bytes = bytes
    this.#limit = limit
  }

  /** For the publisher. */
  get error(): HubError {
    const size = this.#bytes === undefined ? '' : ` of ${this.#bytes} bytes, as it is sent there,`
    const limit = this.#limit === undefined ? '' : `: ${this.#limit} bytes`
    return new HubError('body_too_large', `The update${size} is larger than Pulsar takes${limit}.`)
  }
}

/** What a WebSocket of Pulsar's takes. */
export class FrameLimit {
  #bytes = Number.POSITIVE_INFINITY

  /** Why a text is not to be sent; `undefined`: nothing is known against it. */
  check(bytes: number): TooLarge | undefined {
    return bytes > this.#bytes ? new TooLarge('webSocketMaxTextFrameSize', bytes, this.#bytes) : undefined
  }

  /** What the server said when it ended a connection over a text; `largest`: what it was sent. */
  learn({ code, message }: Failure, largest = Number.POSITIVE_INFINITY): void {
    if (code !== tooLargeCode) return
    const [, limit] = /maximum size \[(\d+)\]/.exec(message) ?? []
    this.#bytes = limit === undefined ? Math.min(this.#bytes, largest - 1) : Number(limit)
  }
}

/** RFC 6455, section 7.4.1. */
export const tooLargeCode = '1009'
