import type { Problem } from '../problem.ts'
import { keys } from '../schema.ts'
import { type Environment, readImage } from './image.ts'
import type { Layer } from './layer.ts'
import { readOpenTelemetry } from './open-telemetry.ts'
import { retiredVariables } from './retired.ts'

/** What the environment says, the weaker source first: the variables of the reference hub's image, then those named like our keys. */
export interface EnvironmentLayers {
  readonly layers: readonly Layer[]
  readonly problems: readonly Problem[]
  readonly warnings: readonly string[]
}

/** Only a file can hold these: they are not single values. */
const onlyInFiles: ReadonlySet<string> = new Set(['recent', 'issuers', 'limits'])

/** Reads variables; an empty one is not set. `playground`: what that directive says comes before them. */
export function readEnvironment(env: Environment, cwd: string, playground = false): EnvironmentLayers {
  const image = readImage(env, cwd, playground)
  const openTelemetry = readOpenTelemetry(env)
  const isSet = (key: string) => Boolean(env[variableOf(key)])
  const own = keys.filter(key => isSet(key) && !onlyInFiles.has(key))
  const layer = {
    values: Object.fromEntries(own.map(key => [key, env[variableOf(key)]])),
    where: ([key]: readonly unknown[]) => `environment variable ${variableOf(String(key))}`,
  }
  const unread = [...onlyInFiles]
    .filter(isSet)
    .map(key => `${variableOf(key)} has no effect: ${key} can only be set in a file.`)
  const retired = Object.keys(retiredVariables)
    .filter(isSet)
    .map(key => `${variableOf(key)} has no effect: ${retiredVariables[key]}`)
  return {
    layers: [...image.layers, openTelemetry.layer, layer],
    problems: image.problems,
    warnings: [...image.warnings, ...openTelemetry.warnings, ...unread, ...retired],
  }
}

/** Symfony, and others beside the hub, have a TRUSTED_PROXIES of their own, which a shared environment also gives to the hub. */
const renamed: Readonly<Record<string, string>> = { trusted_proxies: 'MERCURE_TRUSTED_PROXIES' }

/** The variable of a key. */
export const variableOf = (key: string): string => renamed[key] ?? key.toUpperCase()
