import { readDocument } from './documents.ts'

/** A metric as it is served, or as docs/metrics.md has it. */
export interface MetricForm {
  readonly type: string
  readonly labels: readonly string[]
}

/** Each with its labels, from the text format of Prometheus. Those of a histogram's buckets are not among them. */
export function readForms(text: string): Map<string, MetricForm> {
  const forms = new Map<string, { type: string; labels: string[] }>()
  for (const [, name = '', type = ''] of text.matchAll(/^# TYPE (\w+) (\w+)$/gm)) {
    const sample = new RegExp(`^${name}(?:_bucket)?\\{([^}]*)\\}`, 'm').exec(text)?.[1] ?? ''
    const labels = [...sample.matchAll(/(\w+)="/g)].map(match => match[1]!)
    forms.set(name, { type, labels: labels.filter(label => label !== 'le').toSorted() })
  }
  return forms
}

/** The rows of the tables of docs/metrics.md. */
export async function readDocumentedForms(): Promise<Map<string, MetricForm>> {
  const { text } = await readDocument('docs/metrics.md')
  const rows = text.matchAll(/^\| `((?:mercure|talaria)_\w+)` \| (\w+) \|([^|]*)\|/gm)
  return new Map(
    [...rows].map(([, name = '', type = '', labels = '']) => [
      name,
      { type, labels: [...labels.matchAll(/`(\w+)`/g)].map(match => match[1]!).toSorted() },
    ]),
  )
}

/** Those of the process that docs/metrics.md names. */
export async function readNamedOfProcess(): Promise<string[]> {
  const { text } = await readDocument('docs/metrics.md')
  return [...text.matchAll(/`((?:nodejs|process)_\w+)`/g)].map(match => match[1]!)
}
