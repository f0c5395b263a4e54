import type { SpanExporter } from '@opentelemetry/sdk-trace'
import type { HubLog } from '../hub-log.ts'

/** An exporter that says once when its collector takes no spans, and once when it does again. */
export function reportOutages(exporter: SpanExporter, { host, pathname }: URL, log: HubLog): SpanExporter {
  let isFailing = false
  return {
    export(spans, done) {
      exporter.export(spans, result => {
        const failed = result.code !== success
        if (failed && !isFailing) {
          const reason = result.error?.message ?? 'no reason is known'
          log.warn({ reason }, `${host}${pathname} takes no spans: they are dropped until it does`)
        }
        if (!failed && isFailing) log.info({}, `${host}${pathname} takes spans again`)
        isFailing = failed
        done(result)
      })
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => await exporter.forceFlush?.(),
  }
}

/** `ExportResultCode.SUCCESS` of @opentelemetry/core. */
const success = 0
