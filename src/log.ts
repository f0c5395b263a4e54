import { type DestinationStream, type Logger, pino } from 'pino'
import pretty from 'pino-pretty'

export type Log = Logger

/** Bytes of lines that may wait for a reader of the log; past that they are dropped: nobody else waits for it. */
const maxWaitingBytes = 16 << 20

/**
 * JSON lines for machines, or coloured text for people. Tokens and payloads are never passed to it: see http/app.ts. Lines leave as soon
 * as the ones before have, several at once under load; what waits when the process ends is written then.
 */
export function createLog(options: { format: 'text' | 'json'; debug: boolean; destination?: DestinationStream }): Log {
  const level = options.debug ? 'debug' : 'info'
  if (options.format === 'json') {
    const destination = options.destination ?? pino.destination({ dest: 1, sync: false, maxLength: maxWaitingBytes })
    return pino({ level }, destination)
  }
  return pino(
    { level, base: null },
    pretty({ colorize: process.stdout.isTTY, translateTime: 'SYS:HH:MM:ss.l', destination: options.destination ?? 1 }),
  )
}
