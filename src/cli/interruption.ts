import { constants } from 'node:os'

export interface Interruption {
  readonly signal: 'SIGINT' | 'SIGTERM'
  /** What a shell expects of a process that a signal ended: 130, 143. */
  readonly exitCode: number
}

/**
 * Calls the listener, instead of ending the process, when it is told to stop: once, since a terminal signals a command and the program
 * that runs it, and that one passes it on.
 */
export function onInterruption(listener: (interruption: Interruption) => void): { ignore(): void } {
  let isCalled = false
  const call = (signal: Interruption['signal']) => {
    if (isCalled) return
    isCalled = true
    listener({ signal, exitCode: 128 + constants.signals[signal] })
  }
  process.on('SIGINT', call).on('SIGTERM', call)
  return {
    ignore() {
      process.off('SIGINT', call).off('SIGTERM', call)
    },
  }
}
