import { invalid, quote } from '../invalid.ts'

/** Each unit in milliseconds, as a fraction of whole numbers so that `1.001s` is 1001 and not a neighbour of it. */
const units: Readonly<Record<string, readonly [multiply: number, divide: number]>> = {
  h: [3_600_000, 1],
  m: [60_000, 1],
  s: [1000, 1],
  ms: [1, 1],
  us: [1, 1000],
  µs: [1, 1000], // U+00B5, micro sign
  μs: [1, 1000], // U+03BC, Greek mu
  ns: [1, 1_000_000],
}

/**
 * Reads a duration of Go's syntax (`15s`, `1m30s`, `1.5h`, `100ms`, `0`) into milliseconds, which are not always whole.
 * @throws HubError `configuration_invalid`
 */
export function parseDuration(text: string): number {
  if (/^0+$/.test(text)) return 0
  if (/^[+-]/.test(text)) throw invalid(`${quote(text)} has a sign; a duration is 0 or more, like 15s.`)
  if (/^\d+(\.\d+)?$/.test(text)) throw invalid(`${quote(text)} has no unit. Did you mean ${guessUnit(text)}?`)
  const part = /(\d+(?:\.\d*)?|\.\d+)([a-zµμ]+)/y
  let ms = 0
  while (part.lastIndex < text.length) {
    const [, amount, unit] = part.exec(text) ?? []
    if (amount === undefined || unit === undefined) {
      throw invalid(`${quote(text)} is not a duration; write it like 15s, 1m30s, 1.5h or 100ms.`)
    }
    const scale = Object.hasOwn(units, unit) ? units[unit] : undefined
    if (scale === undefined)
      throw invalid(`${quote(text)}: ${quote(unit)} is not a unit of time; use h, m, s, ms, µs or ns.`)
    const [whole = '', fraction = ''] = amount.split('.')
    ms += (Number(whole + fraction) * scale[0]) / (scale[1] * 10 ** fraction.length)
  }
  if (text === '') throw invalid('the duration is empty; write it like 15s, or 0.')
  if (!(ms <= Number.MAX_SAFE_INTEGER)) throw invalid(`${quote(text)} is too long a time.`)
  return ms
}

/** Where the old hub read a bare number it meant nanoseconds: a large one still means that, a small one was meant as seconds. */
const guessUnit = (number: string): string =>
  Number(number) >= 1_000_000 && Number(number) <= Number.MAX_SAFE_INTEGER
    ? `${formatDuration(Number(number) / 1_000_000)} (it counted nanoseconds once)`
    : `${number.slice(0, 20)}s`

/** Milliseconds as the shortest text that `parseDuration` reads back: `1m30s`, `1.5s`, `100ms`, `0s`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s'
  if (ms < 1000) return `${decimal(ms, 6)}ms`
  const hours = Math.floor(ms / 3_600_000)
  const minutes = Math.floor((ms % 3_600_000) / 60_000)
  const seconds = (ms % 60_000) / 1000
  return `${hours > 0 ? `${hours}h` : ''}${minutes > 0 ? `${minutes}m` : ''}${seconds > 0 ? `${decimal(seconds, 9)}s` : ''}`
}

/** No exponents; the digits are those that count nanoseconds. */
const decimal = (number: number, digits: number): string =>
  Number.isInteger(number) ? String(number) : number.toFixed(digits).replace(/\.?0+$/, '')
