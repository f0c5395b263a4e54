import { randomUUID } from 'node:crypto'
import { HubError } from '../errors.ts'
import type { HubLog } from '../hub-log.ts'
import type { Tracing } from '../tracing.ts'
import { reportOutages } from './outages.ts'
import { Spans } from './spans.ts'

/** Of whom the spans tell. */
export interface Identity {
  /** Of this program. */
  readonly version: string
  /** What the log is called. */
  readonly transport: string
}

export interface ExportOptions {
  /** Where a collector takes spans by OTLP/HTTP, as JSON. */
  readonly endpoint: URL
  readonly serviceName: string
  /** Of the traces that begin here, 0 to 1; of others their beginning has decided. */
  readonly sample: number
}

const apiPackage = '@opentelemetry/api'
const packages = [apiPackage, '@opentelemetry/sdk-trace', '@opentelemetry/exporter-trace-otlp-http']

/**
 * Spans that are sent to a collector: some at a time, every few seconds, with a bounded number that waits. What is beyond that is dropped, and
 * nobody waits for any of it. The packages are loaded here and nowhere else.
 * @throws HubError `configuration_invalid` where they are not installed
 */
export async function exportTraces(options: ExportOptions, identity: Identity, log: HubLog): Promise<Tracing> {
  const [api, sdk, { OTLPTraceExporter }] = await load(packages, () =>
    Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-trace'),
      import('@opentelemetry/exporter-trace-otlp-http'),
    ]),
  )
  const exporter = new OTLPTraceExporter({ url: options.endpoint.href })
  const provider = new sdk.TracerProvider({
    resource: describeProcess(options.serviceName, identity.version),
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(options.sample) }),
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter: reportOutages(exporter, options.endpoint, log) })],
  })
  return new Spans({
    api,
    tracer: provider.getTracer('talaria', identity.version),
    transport: identity.transport,
    async close(withinMs) {
      const { promise: late, resolve } = Promise.withResolvers<'late'>()
      const timer = setTimeout(resolve, withinMs, 'late')
      // What is wrong with the collector is said by then, or is what keeps it waiting.
      const closed = await Promise.race([provider.shutdown().catch(() => 'failed'), late])
      clearTimeout(timer)
      if (closed === 'late')
        log.warn({}, `the last spans were not taken by ${nameOf(options.endpoint)} in time, and are lost`)
    },
  })
}

/**
 * Spans for the tracer provider that the application has registered with `@opentelemetry/api`; it does with them what it does, and is the
 * application's to close. @throws HubError `configuration_invalid` where the package is not installed
 */
export async function joinTraces(identity: Identity): Promise<Tracing> {
  const api = await load([apiPackage], () => import('@opentelemetry/api'))
  const tracer = api.trace.getTracer('talaria', identity.version)
  return new Spans({ api, tracer, transport: identity.transport, close: async () => {} })
}

/** @throws HubError `configuration_invalid` as `exportTraces` would; nothing is sent */
export async function checkTracing(): Promise<void> {
  await load(packages, () => Promise.all(packages.map(name => import(name))))
}

async function load<Module>(names: readonly string[], importModules: () => Promise<Module>): Promise<Module> {
  try {
    return await importModules()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw error
    throw new HubError(
      'configuration_invalid',
      `tracing: needs packages that are missing; install them with "npm install ${names.join(' ')}".`,
    )
  }
}

/** The attributes of every span. Each process is an instance, workers included. */
function describeProcess(serviceName: string, version: string) {
  const attributes = {
    'service.name': serviceName,
    'service.version': version,
    'service.instance.id': randomUUID(),
    'telemetry.sdk.name': 'opentelemetry',
    'telemetry.sdk.language': 'nodejs',
  }
  return {
    attributes,
    merge() {
      return this
    },
    getRawAttributes: () => Object.entries(attributes),
  }
}

const nameOf = ({ host, pathname }: URL): string => `${host}${pathname}`
