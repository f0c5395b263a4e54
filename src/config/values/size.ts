import { invalid, quote } from '../invalid.ts'

const powers = ['', 'k', 'm', 'g', 't'] as const

/**
 * Reads a number of bytes: `1MiB` (1024²), `1MB` (1000²), `64 kib`, `1.5GB`, `65536`. Upper and lower case are the same.
 * @throws HubError `configuration_invalid`
 */
export function parseSize(text: string): number {
  const [, amount, power, binary] = /^(\d{1,15}(?:\.\d{1,9})?) ?([kmgt]?)(i?)b?$/.exec(text.toLowerCase()) ?? []
  if (amount === undefined || (power === '' && binary !== '')) {
    throw invalid(
      `${quote(text)} is not a size; write it like 64KiB, 1MiB (1024 × 1024 bytes), 1MB (1000 × 1000) or 65536.`,
    )
  }
  const bytes = Math.floor(
    Number(amount) * (binary === '' ? 1000 : 1024) ** powers.indexOf(power as (typeof powers)[number]),
  )
  if (!Number.isSafeInteger(bytes)) throw invalid(`${quote(text)} is too large a size.`)
  return bytes
}

/** Bytes in the largest binary unit that divides them: `1MiB`, `1000B`. */
export function formatSize(bytes: number): string {
  let power = 0
  while (bytes !== 0 && bytes % 1024 === 0 && power < powers.length - 1) {
    bytes /= 1024
    power++
  }
  return `${bytes}${power === 0 ? '' : `${powers[power]!.toUpperCase()}i`}B`
}
