import { readFile } from 'node:fs/promises'
import type { ConnectionOptions, SecureVersion } from 'node:tls'
import { HubError } from '../../src/errors.ts'

const modes = ['prefer', 'disable', 'allow', 'require', 'verify-ca', 'verify-full'] as const

/** What libpq's parameters say of TLS, as libpq means it. */
export interface TlsSettings {
  readonly mode: (typeof modes)[number]
  readonly isDirect: boolean
  /** Paths of files with PEM; the authority's may be `system`. */
  readonly rootCertFile: string | undefined
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
  /** `undefined`: as Node has it, which is 1.2 and 1.3. */
  readonly oldest: SecureVersion | undefined
  readonly newest: SecureVersion | undefined
}

/** The options of the URL, by their kinds. */
export const tlsOptions = {
  sslmode: 'text',
  sslnegotiation: 'text',
  sslrootcert: 'text',
  sslcert: 'text',
  sslkey: 'text',
  ssl_min_protocol_version: 'text',
  ssl_max_protocol_version: 'text',
} as const

const versions: readonly SecureVersion[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']

/** @throws HubError `configuration_invalid` */
export function readTls(options: { readonly [name in keyof typeof tlsOptions]?: string }): TlsSettings {
  const { sslrootcert: rootCertFile, sslcert: certFile, sslkey: keyFile, sslnegotiation = 'postgres' } = options
  const mode = modes.find(one => one === (options.sslmode ?? (rootCertFile === 'system' ? 'verify-full' : 'prefer')))
  if (mode === undefined) throw invalid(`sslmode is none of ${modes.toSorted().join(', ')}`)
  if (rootCertFile === 'system' && mode !== 'verify-full') throw invalid('sslrootcert=system needs sslmode=verify-full')
  if (mode === 'verify-ca' && rootCertFile === undefined) {
    throw invalid('sslmode=verify-ca needs sslrootcert; without one, use verify-full')
  }
  if ((certFile === undefined) !== (keyFile === undefined)) throw invalid('sslcert and sslkey belong together')
  if (!['postgres', 'direct'].includes(sslnegotiation)) throw invalid('sslnegotiation is neither postgres nor direct')
  const isDirect = sslnegotiation === 'direct'
  if (isDirect && !/^(require|verify-)/.test(mode)) {
    throw invalid('sslnegotiation=direct needs sslmode=require, verify-ca or verify-full')
  }
  const oldest = readVersion(options, 'ssl_min_protocol_version')
  const newest = readVersion(options, 'ssl_max_protocol_version')
  if (oldest !== undefined && newest !== undefined && versions.indexOf(oldest) > versions.indexOf(newest)) {
    throw invalid('ssl_min_protocol_version is above ssl_max_protocol_version')
  }
  return { mode, isDirect, rootCertFile, certFile, keyFile, oldest, newest }
}

function readVersion(
  options: { readonly [name in keyof typeof tlsOptions]?: string },
  name: 'ssl_min_protocol_version' | 'ssl_max_protocol_version',
): SecureVersion | undefined {
  const version = versions.find(one => one.toLowerCase() === options[name]?.toLowerCase())
  if (version === undefined && options[name] !== undefined) throw invalid(`${name} is none of ${versions.join(', ')}`)
  return version
}

/**
 * How to connect, in the order of the attempts; `false` is without TLS. The files are read each time, since certificates are renewed.
 * @throws HubError `configuration_invalid` for a file that cannot be read
 */
export async function tlsAttempts(settings: TlsSettings): Promise<readonly (ConnectionOptions | false)[]> {
  const { mode, rootCertFile, certFile, keyFile, oldest, newest } = settings
  if (mode === 'disable') return [false]
  const hasAuthority = rootCertFile !== undefined && rootCertFile !== 'system'
  const verifies = mode.startsWith('verify-') || (mode === 'require' && hasAuthority)
  const secure: ConnectionOptions = {
    rejectUnauthorized: verifies,
    ...(hasAuthority ? { ca: await read('sslrootcert', rootCertFile) } : {}),
    ...(certFile === undefined ? {} : { cert: await read('sslcert', certFile) }),
    ...(keyFile === undefined ? {} : { key: await read('sslkey', keyFile) }),
    ...(oldest === undefined ? {} : { minVersion: oldest }),
    ...(newest === undefined ? {} : { maxVersion: newest }),
    ...(mode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
  }
  if (mode === 'prefer') return [secure, false]
  if (mode === 'allow') return [false, secure]
  return [secure]
}

async function read(option: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw invalid(`${option}: the file cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}

const invalid = (rule: string): HubError => new HubError('configuration_invalid', `transport_url, postgres: ${rule}.`)
