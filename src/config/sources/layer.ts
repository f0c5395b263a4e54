import type { Path } from '../problem.ts'

/** One source of settings: the values under their keys as it gives them, and where each of them stands. */
export interface Layer {
  readonly values: Readonly<Record<string, unknown>>
  /** `mercure.yaml:12`, `environment variable ADDR`, `--addr` */
  where(path: Path): string
  /** Where relative names of files start; absent: in the working directory. */
  readonly directory?: string
}

/** Sources laid over each other. */
export interface Sources {
  readonly values: Readonly<Record<string, unknown>>
  /** Where the value stands that counts; null: it is not set. */
  where(path: Path): string | null
  /** Where file names of a key start; `undefined`: in the working directory. */
  directory(key: string): string | undefined
}

/** Keys that say the same thing in different ways: a source that sets one of them sets aside what weaker sources say of the others. */
const alternatives: readonly (readonly string[])[] = [
  ['transport_url', 'transport_url_file'],
  ['jwt_key', 'jwt_key_file'],
  ['publisher_jwt_key', 'publisher_jwt_key_file', 'publisher_jwks_url'],
  ['subscriber_jwt_key', 'subscriber_jwt_key_file', 'subscriber_jwks_url'],
]

/** Lays sources over each other, the strongest last. */
export function merge(layers: readonly Layer[]): Sources {
  const values = new Map<string, unknown>()
  const owners = new Map<string, Layer>()
  for (const layer of layers) {
    const set = Object.keys(layer.values).filter(key => !isUnset(layer.values[key]))
    for (const key of set) {
      const others = alternatives.find(group => group.includes(key)) ?? []
      for (const other of others) {
        if (owners.get(other) === layer) continue
        owners.delete(other)
        values.delete(other)
      }
    }
    for (const key of set) {
      values.set(key, layer.values[key])
      owners.set(key, layer)
    }
  }
  return {
    values: Object.fromEntries(values),
    where: path => owners.get(String(path[0]))?.where(path) ?? null,
    directory: key => owners.get(key)?.directory,
  }
}

/** `key:` with nothing behind it. */
const isUnset = (value: unknown): boolean => value === null || value === undefined
