import type { SpanContext } from '@opentelemetry/api'
import type { TraceHeaders } from '../tracing.ts'

/** Version, trace id, parent id, flags. Later versions may have more behind it. */
const syntax = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/**
 * The span of another process that a request belongs to: W3C Trace Context, section 3.2. `undefined`: there is none, or more than one, or what
 * there is cannot be read, and a new trace begins.
 */
export function readTraceContext(
  { traceparent, tracestate }: TraceHeaders,
  createTraceState: (text: string) => NonNullable<SpanContext['traceState']>,
): SpanContext | undefined {
  const [header = '', ...others] = traceparent
  const [, version, traceId = '', spanId = '', flags = '', more] = syntax.exec(header.trim()) ?? []
  const isKnown = version !== undefined && version !== 'ff' && (version !== '00' || more === undefined)
  if (!isKnown || others.length > 0 || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  return {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & sampledFlag,
    isRemote: true,
    ...(tracestate.length > 0 && { traceState: createTraceState(tracestate.join(',')) }),
  }
}

const sampledFlag = 1
