import { writeSync } from 'node:fs'
import { type DestinationStream, type Logger, pino } from 'pino'
import { prettyFactory } from 'pino-pretty'

export type Log = Logger

export interface LogOptions {
  readonly format: 'text' | 'json'
  readonly debug: boolean
  readonly destination?: DestinationStream
  /** The number of a worker: its lines are JSON, whatever the format, for the primary process to write. */
  readonly worker?: number
}

/** Bytes of lines that may wait for a reader of the log; past that they are dropped: nobody else waits for it. */
const maxWaitingBytes = 16 << 20

/**
 * JSON lines for machines, or coloured text for people. Tokens and payloads are never passed to it: see http/app.ts. Lines leave as soon
 * as the ones before have, several at once under load; what waits when the process ends is written then.
 */
export function createLog(options: LogOptions): Log {
  const level = options.debug ? 'debug' : 'info'
  if (options.worker !== undefined) {
    const bindings = { worker: options.worker }
    return options.format === 'json' ? pino({ level }).child(bindings) : pino({ level, base: bindings })
  }
  const destination = options.destination ?? openStandardOutput()
  return options.format === 'json' ? pino({ level }, destination) : pino({ level, base: null }, asText(destination))
}

function openStandardOutput(): DestinationStream {
  const output = pino.destination({ dest: 1, sync: false, maxLength: maxWaitingBytes })
  // A terminal that was closed, a disk that is full: the hub goes on without a log. What waits would else be tried again, for ever, before the process ends.
  let isLost = false
  return output.on('error', (error: NodeJS.ErrnoException) => {
    if (isLost) return
    isLost = true
    Object.assign(output, { write: () => true, flushSync() {}, end() {} })
    try {
      writeSync(2, `The log cannot be written any more: ${error.message}\n`)
    } catch {
      // Nobody is left to be told.
    }
  })
}

/** Between the logger and its destination, with nothing waiting in between. */
function asText(destination: DestinationStream & { flushSync?: () => void }): DestinationStream {
  const format = prettyFactory({ colorize: process.stdout.isTTY, translateTime: 'SYS:HH:MM:ss.l' })
  return Object.assign(
    { write: (line: string) => destination.write(format(line)) },
    // What is fatal is written before the process ends, by pino.
    destination.flushSync === undefined ? {} : { flushSync: () => destination.flushSync?.() },
  )
}

/** Writes a line of JSON, with its end, that another process of this hub has logged. */
export const writeLine = (log: Log, line: string): void =>
  void (log as unknown as { [pino.symbols.streamSym]: DestinationStream })[pino.symbols.streamSym].write(line)
