import { literal, type Tables } from './tables.ts'

/** What names an advisory lock: two numbers, of which the second is the table, so that each log of a database has its own. */
export const lock = (purpose: keyof typeof purposes, { updates }: Tables): string =>
  `${purposes[purpose]}, ${literal(updates)}::regclass::oid::integer`

const purposes = { append: 1_836_413_795, take: 1_836_413_796, trim: 1_836_413_797 }

/** All functions find the same things, whatever the caller's search_path is. */
export const setting = 'SET search_path = pg_catalog, pg_temp'
