import { spawnSync } from 'node:child_process'

const { error, stdout } = spawnSync('curl', ['--version'], { encoding: 'utf8' })

/** Why tests that need curl are skipped; `false`: it is here. */
export const curlMissing: string | false = error !== undefined && `there is no curl here: ${error.message}`

/** The same for those that need its HTTP/2. */
export const curlWithoutHttp2: string | false =
  curlMissing || (!/HTTP2/.test(stdout) && 'this curl does not speak HTTP/2')
