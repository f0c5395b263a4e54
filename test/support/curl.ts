import { spawnSync } from 'node:child_process'

const { error, stdout } = spawnSync('curl', ['--version'], { encoding: 'utf8' })

/** Why tests that need curl are skipped; `false`: it is here. */
export const curlMissing: string | false = error !== undefined && `there is no curl here: ${error.message}`

/** The same for those that need one of its features, as `curl --version` lists them. */
export const curlWithout = (feature: 'HTTP2' | 'libz' | 'zstd' | 'brotli'): string | false =>
  curlMissing || (!stdout.split(/\s+/).includes(feature) && `this curl has no ${feature}`)
