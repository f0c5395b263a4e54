import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { parse, stringify } from 'yaml'
import { readDocumentedForms, readNamedOfProcess } from './support/metrics.ts'
import { root } from './support/process.ts'
import { noPromtool, promtool } from './support/promtool.ts'

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly description: string }
}

interface Panel {
  readonly title: string
  readonly type: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string }[]
}

const alertsText = await readFile(join(root, 'monitoring/alerts.yaml'), 'utf8')
const rules: readonly Rule[] = parse(alertsText).groups.flatMap(({ rules }: { rules: Rule[] }) => rules)
const dashboard: { readonly panels: readonly Panel[]; readonly templating: { readonly list: unknown } } = JSON.parse(
  await readFile(join(root, 'monitoring/grafana-dashboard.json'), 'utf8'),
)
const graphs = dashboard.panels.filter(({ type }) => type !== 'row')
const expressions = graphs.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })))

const documented = await readDocumentedForms()
const ofProcess = new Set(await readNamedOfProcess())

/** What of a query is no metric that docs/metrics.md has. */
const unknownIn = (query: string): string[] =>
  [...query.matchAll(/\b(?:mercure|talaria|process|nodejs)_\w+/g)]
    .map(([name]) => name)
    .filter(name => {
      const histogram = name.replace(/_(bucket|sum|count)$/, '')
      return !(
        documented.has(name) ||
        ofProcess.has(name) ||
        ofProcess.has(histogram) ||
        (histogram !== name && documented.get(histogram)?.type === 'histogram')
      )
    })

test('alerts and the dashboard ask for metrics that docs/metrics.md has', () => {
  for (const { alert, expr } of rules) assert.deepEqual(unknownIn(expr), [], alert)
  for (const { title, expr } of expressions) assert.deepEqual(unknownIn(expr), [], title)
  assert.deepEqual(unknownIn(JSON.stringify(dashboard.templating.list)), [])
  assert.deepEqual(
    unknownIn('rate(talaria_publish_seconds_bucket[5m]) / talaria_nothing + mercure_updates_total_sum'),
    ['talaria_nothing', 'mercure_updates_total_sum'],
  )
})

test('the dashboard shows each metric of the hub', () => {
  const shown = expressions.map(({ expr }) => expr).join('\n')
  // Named, and not as the beginning of another's name.
  const hidden = [...documented.keys()].filter(name => !new RegExp(`\\b${name}(_bucket|_count)?\\b`).test(shown))
  assert.deepEqual(hidden, [])
})

test('no panel of the dashboard lies upon another', () => {
  const cells = new Set<string>()
  for (const { title, gridPos } of dashboard.panels) {
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.ok(x < 24 && !cells.has(`${x},${y}`), title)
        cells.add(`${x},${y}`)
      }
    }
  }
})

test('each alert says what is wrong and what to do, once', () => {
  assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length)
  for (const { alert, labels, annotations } of rules) {
    assert.match(alert, /^Talaria[A-Z]\w+$/)
    assert.match(labels.severity, /^(warning|critical)$/)
    assert.match(annotations.summary, /\S\.$/, alert)
    assert.match(annotations.description, /\S\.$/, alert)
  }
})

suite('promtool', { skip: noPromtool }, () => {
  test('takes the rules', async () => {
    assert.match(await promtool(['check', 'rules', '{file}'], alertsText), new RegExp(`SUCCESS: ${rules.length} rules`))
    await assert.rejects(promtool(['check', 'rules', '{file}'], alertsText.replaceAll('sum by (', 'sum by ((')))
  })

  test('takes the queries of the dashboard', async () => {
    const filled = expressions.map(({ expr }, i) => ({
      record: `panel:${i}`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(job|instance)\b/g, '.*'),
    }))
    assert.doesNotMatch(JSON.stringify(filled), /\$/)
    await promtool(['check', 'rules', '{file}'], stringify({ groups: [{ name: 'dashboard', rules: filled }] }))
  })

  test('fires each alert where it is meant to be, and none of a hub that is well', async () => {
    const files = [join(root, 'monitoring/alerts.yaml')]
    const at = '40m'
    const fired = (alert: string, trouble: Series) => ({
      interval: '1m',
      input_series: merge(well, trouble),
      promql_expr_test: [
        {
          expr: `count by (alertname) (ALERTS{alertname="${alert}", alertstate="firing"})`,
          eval_time: at,
          exp_samples: [{ labels: `{alertname="${alert}"}`, value: 1 }],
        },
      ],
    })
    assert.deepEqual(
      Object.keys(troubles).toSorted(),
      rules.map(({ alert }) => alert).toSorted(),
      'each alert has its trouble',
    )
    const tests = [
      ...Object.entries(troubles).map(([alert, trouble]) => fired(alert, trouble)),
      {
        interval: '1m',
        input_series: merge(well, {}),
        promql_expr_test: [{ expr: 'ALERTS', eval_time: at, exp_samples: [] }],
      },
    ]
    await promtool(['test', 'rules', '{file}'], stringify({ rule_files: files, evaluation_interval: '1m', tests }))
  })
})

type Series = Readonly<Record<string, string | null>>

const hub = 'job="talaria", instance="one:9764"'
const histogram = (name: string, within: string, beyond: string, le: string): Series => ({
  [`${name}_bucket{${hub}, le="${le}"}`]: within,
  [`${name}_bucket{${hub}, le="+Inf"}`]: beyond,
})

/** An hour of a hub that is well, by the minute. */
const well: Series = {
  [`talaria_info{${hub}, version="1.0.0", transport="redis"}`]: '1+0x60',
  [`talaria_ready{${hub}}`]: '1+0x60',
  [`talaria_transport_errors_total{${hub}, operation="publish"}`]: '3+0x60',
  [`mercure_subscribers_connected{${hub}}`]: '1000+0x60',
  [`talaria_streams_ended_total{${hub}, reason="too slow"}`]: '0+2x60',
  [`talaria_streams_ended_total{${hub}, reason="client closed"}`]: '0+100x60',
  [`talaria_waiting_bytes{${hub}}`]: '1000+0x60',
  [`talaria_waiting_bytes_limit{${hub}}`]: '10000+0x60',
  [`talaria_resumptions_total{${hub}, from="window"}`]: '0+100x60',
  [`talaria_resumptions_total{${hub}, from="nowhere"}`]: '0+1x60',
  [`talaria_revocations{${hub}}`]: '1000+0x60',
  [`talaria_nodes{${hub}}`]: '2+0x60',
  'talaria_nodes{job="talaria", instance="two:9764"}': '2+0x60',
  [`talaria_requests_refused_total{${hub}, code="internal"}`]: '1+0x60',
  [`process_open_fds{${hub}}`]: '1000+0x60',
  [`process_max_fds{${hub}}`]: '10000+0x60',
  ...histogram('talaria_publish_seconds', '0+100x60', '0+100x60', '0.01'),
  ...histogram('talaria_transport_lag_seconds', '0+100x60', '0+100x60', '0.01'),
  ...histogram('talaria_delivery_last_seconds', '0+100x60', '0+100x60', '0.01'),
  ...histogram('talaria_event_loop_delay_seconds', '0+3000x60', '0+3000x60', '0.01'),
}

/** What differs where an alert is meant to fire; `null`: it is not there. */
const troubles: Readonly<Record<string, Series>> = {
  TalariaMissing: { [`talaria_info{${hub}, version="1.0.0", transport="redis"}`]: null },
  TalariaNotReady: { [`talaria_ready{${hub}}`]: '1+0x30 0+0x30' },
  TalariaTransportErrors: { [`talaria_transport_errors_total{${hub}, operation="publish"}`]: '3+1x60' },
  TalariaPublishSlow: histogram('talaria_publish_seconds', '0+90x60', '0+100x60', '2.5'),
  TalariaTransportLag: histogram('talaria_transport_lag_seconds', '0+90x60', '0+100x60', '5'),
  TalariaDeliverySlow: histogram('talaria_delivery_last_seconds', '0+90x60', '0+100x60', '2.5'),
  TalariaEventLoopBusy: histogram('talaria_event_loop_delay_seconds', '0+2900x60', '0+3000x60', '0.25'),
  TalariaReadersTooSlow: { [`talaria_streams_ended_total{${hub}, reason="too slow"}`]: '0+20x60' },
  TalariaWaitingBytesNearLimit: { [`talaria_waiting_bytes{${hub}}`]: '9000+0x60' },
  TalariaHistoryTooShort: { [`talaria_resumptions_total{${hub}, from="nowhere"}`]: '0+20x60' },
  TalariaNodesDisagree: { [`talaria_nodes{${hub}}`]: '2+0x30 1+0x30' },
  TalariaRevocationsNearLimit: { [`talaria_revocations{${hub}}`]: '8000+50x60' },
  // Its first one is one that Prometheus sees no growth of.
  TalariaInternalErrors: { [`talaria_requests_refused_total{${hub}, code="internal"}`]: '_x38 1+0x20' },
  TalariaDescriptorsRunOut: { [`process_open_fds{${hub}}`]: '9000+0x60' },
}

function merge(base: Series, change: Series): { series: string; values: string }[] {
  // A slow histogram has none of the quick ones' buckets.
  const isReplaced = (series: string) =>
    Object.keys(change).some(
      changed => changed.split('{')[0]!.endsWith('_bucket') && changed.split('{')[0] === series.split('{')[0],
    )
  const kept = Object.entries(base).filter(([series]) => !isReplaced(series))
  return Object.entries({ ...Object.fromEntries(kept), ...change }).flatMap(([series, values]) =>
    values === null ? [] : [{ series, values }],
  )
}
