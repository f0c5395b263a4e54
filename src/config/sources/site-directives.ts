import { CaddyfileError, expandPlaceholders, parseCaddyfile } from './caddyfile.ts'

export interface SiteDirectives {
  readonly settings: ReadonlyMap<string, string>
  readonly warnings: readonly string[]
}

/**
 * Reads the lines of `CADDY_SERVER_EXTRA_DIRECTIVES`, which are for the web server around the reference hub: of these,
 * `tls CERTIFICATE KEY` is for this one, too.
 */
export function readSiteDirectives(text: string, env: Readonly<Record<string, string | undefined>>): SiteDirectives {
  const settings = new Map<string, string>()
  const warnings: string[] = []
  const warn = (line: number, what: string) =>
    warnings.push(
      `CADDY_SERVER_EXTRA_DIRECTIVES, line ${line}: ${what} has no effect: this hub is not a part of Caddy.`,
    )
  try {
    for (const { name, args, line } of expandPlaceholders(parseCaddyfile(text), env)) {
      const [certificate, key, ...rest] = args
      if (name === 'tls' && key !== undefined && rest.length === 0) {
        settings.set('cert_file', certificate!).set('key_file', key)
      } else warn(line, /^[a-z_]{1,40}$/.test(name) ? name : 'this')
    }
  } catch (error) {
    if (!(error instanceof CaddyfileError)) throw error
    warnings.push(`CADDY_SERVER_EXTRA_DIRECTIVES has no effect: line ${error.line}: ${error.message}`)
  }
  return { settings, warnings }
}
