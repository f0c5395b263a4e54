import { invalid, quote } from '../invalid.ts'

const most = 128

/**
 * Reads a number of processes, or `auto`, one for each processor.
 * @throws HubError `configuration_invalid`
 */
export function parseWorkers(text: string): number | 'auto' {
  if (text.toLowerCase() === 'auto') return 'auto'
  if (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= most) return Number(text)
  throw invalid(`${quote(text)} is neither auto nor a number of processes from 1 to ${most}.`)
}
