import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem, type } from 'node:os'

/** The two processes of a measurement share no core where that can be had: the server has the first, the load the second. */
export type Core = 0 | 1

const canPin = availableParallelism() > 1 && spawnSync('taskset', ['-c', '0', 'true']).status === 0

export const pin = (core: Core, command: readonly [string, ...string[]]): [string, ...string[]] =>
  canPin ? ['taskset', '-c', `${core}`, ...command] : [...command]

/** What the figures of a run belong to. */
export function describeMachine(): string {
  const gib = Math.round(totalmem() / 2 ** 30)
  const cores = cpus()
  const pinned = canPin ? 'server on core 0, load on core 1' : 'processes not pinned to cores'
  return `${cores[0]?.model.trim() ?? 'unknown processor'}, ${cores.length} cores, ${gib} GiB, ${type()}, Node ${process.version}; ${pinned}`
}

/** Streams that one process may hold open, by the limit on open files, which Node and the programs raise as far as they may. */
export function maxStreams(): number {
  if (process.platform !== 'linux') return 4000
  const limit = /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
  return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit) - 200
}
