import { invalid, quote } from '../invalid.ts'

/** Reads a share: `1` is all, `0.05` one of twenty. @throws HubError `configuration_invalid` */
export function parseShare(text: string): number {
  if (/^(?:0|1|[01]?\.\d{1,15}|[01]\.)$/.test(text) && Number(text) <= 1) return Number(text)
  throw invalid(`${quote(text)} is not a share; write a number from 0 to 1, like 0.05.`)
}
