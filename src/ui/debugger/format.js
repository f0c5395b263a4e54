const clock = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hourCycle: 'h23',
})
const wallClock = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
})
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
const number = new Intl.NumberFormat('en', { maximumFractionDigits: 1 })
const significant = new Intl.NumberFormat('en', { maximumSignificantDigits: 2 })
const exact = new Intl.NumberFormat('en', { maximumSignificantDigits: 9 })
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })

/** A time of day, from seconds. */
export const formatSecond = seconds => wallClock.format(seconds * 1000)
/** A time of day with its milliseconds. */
export const formatClock = ms => clock.format(ms)
export const formatMoment = ms => (Math.abs(ms) <= 8.64e15 ? moment.format(ms) : String(ms))
export const formatNumber = value => number.format(value)
/** Small fractions too. */
export const formatExactly = value => exact.format(value)
export const formatCompact = value => (value < 10_000 ? number.format(value) : compact.format(value))
export const formatCount = (count, noun, plural = `${noun}s`) =>
  `${number.format(count)} ${count === 1 ? noun : plural}`

const century = 36_525 * 86_400_000

/** The two largest units: `2 h 5 min`. */
export function formatDuration(ms) {
  if (ms > century) return 'over 100 years'
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const units = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ]
  const first = units.findIndex(([count]) => count > 0)
  if (first === -1) return '0 s'
  return units
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${number.format(count)} ${unit}`)
    .join(' ')
}

/** A reconnection time: often less than a second. */
export const formatRetry = ms => (ms % 1000 === 0 && ms > 0 ? formatDuration(ms) : `${number.format(ms)} ms`)

/** What takes no more than seconds. `undefined`: nothing was measured. */
export function formatSeconds(seconds) {
  if (seconds === undefined) return '–'
  return seconds < 1 ? `${significant.format(seconds * 1000)} ms` : `${significant.format(seconds)} s`
}

export function formatBytes(bytes) {
  let value = bytes
  for (const unit of ['B', 'KiB', 'MiB']) {
    if (value < 1024) return `${number.format(value)} ${unit}`
    value /= 1024
  }
  return `${number.format(value)} GiB`
}

/** Both ends of a long text: ids differ in their last characters. */
export const shorten = (text, length = 20) =>
  text.length <= length ? text : `${text.slice(0, Math.ceil(length / 2) - 1)}…${text.slice(-Math.floor(length / 2))}`

/** A character by what it looks like, if it does, and by its number. */
export function describeCharacter(character) {
  const code = `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`
  return /[\p{C}\p{Z}]/u.test(character) ? code : `“${character}” (${code})`
}

/** The lines of a text field that say something. */
export const readLines = text =>
  text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
