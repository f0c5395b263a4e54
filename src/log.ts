import { type DestinationStream, type Logger, pino } from 'pino'
import pretty from 'pino-pretty'

export type Log = Logger

/** JSON lines for machines, or coloured text for people. Tokens and payloads are never passed to it: see http/app.ts. */
export function createLog(options: { format: 'text' | 'json'; debug: boolean; destination?: DestinationStream }): Log {
  const level = options.debug ? 'debug' : 'info'
  if (options.format === 'json') return options.destination ? pino({ level }, options.destination) : pino({ level })
  return pino(
    { level, base: null },
    pretty({ colorize: process.stdout.isTTY, translateTime: 'SYS:HH:MM:ss.l', destination: options.destination ?? 1 }),
  )
}
