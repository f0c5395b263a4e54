import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { load } from '../../support/configuration.ts'

const yaml = 'jwt_key: a-secret-of-more-than-32-bytes-for-hs256\ntracing: true\n'
const read = async (env: Record<string, string>, lines = '') => {
  const { config, warnings, sources } = await load({ yaml: yaml + lines, env })
  return { ...config.tracing, endpoint: config.tracing?.endpoint.href, warnings, sources }
}

suite('variables of OpenTelemetry', () => {
  test('say where spans go, of whom they are, and how many', async () => {
    const { endpoint, serviceName, sample, warnings, sources } = await read({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example:4318/base/',
      OTEL_SERVICE_NAME: 'hub',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
    })
    assert.deepEqual(
      { endpoint, serviceName, sample, warnings },
      { endpoint: 'https://collector.example:4318/base/v1/traces', serviceName: 'hub', sample: 0.25, warnings: [] },
    )
    assert.equal(sources.tracing_sample, 'environment variable OTEL_TRACES_SAMPLER_ARG')
  })

  test('give way to the one for traces, and to our own', async () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://all:4318',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://traces:4318/here',
      OTEL_SERVICE_NAME: 'theirs',
      TRACING_SERVICE_NAME: 'ours',
    }
    const { endpoint, serviceName } = await read(env)
    assert.deepEqual([endpoint, serviceName], ['http://traces:4318/here', 'ours'])
  })

  for (const [name, sample] of [
    ['always_on', 1],
    ['parentbased_always_off', 0],
    ['xray', 0.5],
  ] as const) {
    test(`OTEL_TRACES_SAMPLER=${name}: ${sample}`, async () => {
      assert.equal((await read({ OTEL_TRACES_SAMPLER: name }, 'tracing_sample: 0.5')).sample, sample)
    })
  }

  test('are ignored, with a warning, where they cannot be used', async () => {
    const { endpoint, sample, warnings } = await read({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317',
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '50%',
    })
    assert.deepEqual([endpoint, sample], ['http://localhost:4318/v1/traces', 1])
    assert.deepEqual(
      warnings.map(warning => warning.split(':')[0]),
      ['OTEL_EXPORTER_OTLP_ENDPOINT has no effect', 'OTEL_TRACES_SAMPLER_ARG has no effect'],
    )
  })

  test('of a sampler that is not known here are warned of', async () => {
    const { sample, warnings } = await read({ OTEL_TRACES_SAMPLER: 'jaeger_remote' })
    assert.equal(sample, 1)
    assert.match(warnings.join(), /^OTEL_TRACES_SAMPLER has no effect: always_on,/)
  })

  test('turn nothing on', async () => {
    const { config } = await load({
      yaml: yaml.replace('tracing: true', ''),
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://all:4318' },
    })
    assert.equal(config.tracing, null)
  })
})
