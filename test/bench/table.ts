import { median, type Row } from './row.ts'

const headings = ['what', 'target', 'measured', 'lowest – highest', 'measured ÷ target', 'from'] as const
type Cells = readonly string[]

function cellsOf({ what, figures, format, target, from = '' }: Row): Cells {
  if (figures.length === 0) return [what, '', 'not measured', '', '', from]
  const measured = median(figures)
  const range = figures.length > 1 ? `${format(Math.min(...figures))} – ${format(Math.max(...figures))}` : ''
  if (target === undefined) return [what, '', format(measured), range, '', from]
  const bound = 'most' in target ? target.most : target.least
  const met = 'most' in target ? measured <= bound : measured >= bound
  const sign = 'most' in target ? '≤' : '≥'
  return [
    what,
    `${sign} ${format(bound)}`,
    format(measured),
    range,
    `${(measured / bound).toFixed(2)}${met ? '' : ' (missed)'}`,
    from,
  ]
}

/** For a terminal: columns as wide as they need to be. */
export function printTable(rows: readonly Row[]): string {
  const lines: Cells[] = [headings, ...rows.map(cellsOf)]
  const widths = headings.map((_, column) => Math.max(...lines.map(line => line[column]!.length)))
  const print = (line: Cells) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd()
  return lines.map(print).join('\n')
}

/** For a page. */
export function writeMarkdown(rows: readonly Row[]): string {
  const lines: Cells[] = [headings, headings.map(() => '---'), ...rows.map(cellsOf)]
  return lines.map(line => `| ${line.join(' | ')} |`).join('\n')
}
