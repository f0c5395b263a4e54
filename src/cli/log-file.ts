import { accessSync, constants, statSync } from 'node:fs'
import { dirname, isAbsolute, resolve } from 'node:path'
import { formatDuration, parseDuration } from '../config/values/duration.ts'
import { formatSize, parseSize } from '../config/values/size.ts'

/** Where the file of a valid `bolt://` URL is, whether it can be used there, and what it keeps. Nothing is opened. */
export function describeLogFile(url: URL): string[] {
  const given = decodeURIComponent(url.host + url.pathname)
  const path = resolve(given)
  const origin = isAbsolute(given) ? '' : ', seen from the working directory'
  return [`The file is ${path}${origin}. ${describeAccess(path)}`, describeBounds(url.searchParams)]
}

function describeAccess(path: string): string {
  const stats = statOf(path)
  if (stats !== undefined) {
    if (!stats.isFile()) return 'It is no file: a hub would not start.'
    return isUsable(path, constants.R_OK | constants.W_OK)
      ? 'It is there.'
      : 'It is there, but this user may not read and write it: a hub would not start.'
  }
  const directory = dirname(path)
  const parent = nearest(directory)
  if (statOf(parent)?.isDirectory() !== true) return `It cannot be made: ${parent} is not a directory.`
  if (!isUsable(parent, constants.W_OK | constants.X_OK)) {
    return `It is not there, and cannot be made: this user may not write to ${parent}.`
  }
  return parent === directory
    ? 'It is not there yet; the hub makes it.'
    : `It is not there yet, and neither is its directory; the hub makes both.`
}

/** The part of a path that is there. */
function nearest(path: string): string {
  let at = path
  while (statOf(at) === undefined && dirname(at) !== at) at = dirname(at)
  return at
}

function statOf(path: string) {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}

function isUsable(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}

function describeBounds(options: URLSearchParams): string {
  const size = Number(options.get('size') ?? 0)
  const ageMs = parseDuration(options.get('max_age') || '0')
  const bytes = parseSize(options.get('size_bytes') || '0')
  const bounds = [
    ...(size === 0 ? [] : [`the newest ${size.toLocaleString('en')}`]),
    ...(ageMs === 0 ? [] : [`none older than ${formatDuration(ageMs)}`]),
    ...(bytes === 0 ? [] : [`in ${formatSize(bytes)} at most`]),
  ]
  if (bounds.length === 0) return 'All updates are kept: neither size, nor max_age, nor size_bytes is set.'
  const isTrimmed = Number(options.get('cleanup_frequency') || 1) > 0
  return `Kept of the updates: ${bounds.join(', ')}.${isTrimmed ? '' : ' None is removed: cleanup_frequency is 0.'}`
}
