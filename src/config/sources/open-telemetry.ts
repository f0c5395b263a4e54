import { HubError } from '../../errors.ts'
import { parseCollectorUrl } from '../values/collector-url.ts'
import { parseShare } from '../values/share.ts'
import type { Environment } from './image.ts'
import type { Layer } from './layer.ts'

/**
 * The variables that OpenTelemetry has for all programs, as far as they are about what our keys are about; its packages read further ones themselves. A
 * value that cannot be used is warned of and ignored, as its specification wants: these may be set for a whole machine.
 */
export function readOpenTelemetry(env: Environment): { readonly layer: Layer; readonly warnings: readonly string[] } {
  const found = new Map<string, { readonly value: string; readonly variable: string }>()
  const warnings: string[] = []
  const take = (key: string, variable: string, value: string | undefined, check: (text: string) => unknown) => {
    if (!value || found.has(key)) return
    try {
      check(value)
      found.set(key, { value, variable })
    } catch (error) {
      if (!(error instanceof HubError)) throw error
      warnings.push(`${variable} has no effect: ${error.message}`)
    }
  }
  take('tracing_service_name', 'OTEL_SERVICE_NAME', env.OTEL_SERVICE_NAME, String)
  const ofTraces = 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'
  take('tracing_endpoint', ofTraces, env[ofTraces], parseCollectorUrl)
  const ofAll = 'OTEL_EXPORTER_OTLP_ENDPOINT'
  take('tracing_endpoint', ofAll, env[ofAll] && `${env[ofAll].replace(/\/+$/, '')}/v1/traces`, parseCollectorUrl)
  const sampler = (env.OTEL_TRACES_SAMPLER ?? '').replace(/^parentbased_/, '')
  if (sampler === 'always_on') take('tracing_sample', 'OTEL_TRACES_SAMPLER', '1', parseShare)
  if (sampler === 'always_off') take('tracing_sample', 'OTEL_TRACES_SAMPLER', '0', parseShare)
  if (sampler === 'traceidratio') {
    take('tracing_sample', 'OTEL_TRACES_SAMPLER_ARG', env.OTEL_TRACES_SAMPLER_ARG, parseShare)
  }
  if (!['', 'always_on', 'always_off', 'traceidratio'].includes(sampler)) {
    warnings.push(
      'OTEL_TRACES_SAMPLER has no effect: always_on, always_off and traceidratio are known, also behind parentbased_.',
    )
  }
  return {
    layer: {
      values: Object.fromEntries([...found].map(([key, { value }]) => [key, value])),
      where: ([key]) => `environment variable ${found.get(String(key))?.variable}`,
    },
    warnings,
  }
}
