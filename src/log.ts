import { type DestinationStream, type Logger, pino } from 'pino'
import pretty from 'pino-pretty'

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
  if (options.format === 'json') {
    const destination = options.destination ?? pino.destination({ dest: 1, sync: false, maxLength: maxWaitingBytes })
    return pino({ level }, destination)
  }
  return pino(
    { level, base: null },
    pretty({ colorize: process.stdout.isTTY, translateTime: 'SYS:HH:MM:ss.l', destination: options.destination ?? 1 }),
  )
}

/** Writes a line of JSON, with its end, that another process of this hub has logged. */
export const writeLine = (log: Log, line: string): void =>
  void (log as unknown as { [pino.symbols.streamSym]: DestinationStream })[pino.symbols.streamSym].write(line)
