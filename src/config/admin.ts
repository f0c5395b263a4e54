import type { Config } from './config.ts'
import type { Report } from './problem.ts'
import type { Settings } from './schema.ts'
import { type Address, clash, formatAddress } from './values/address.ts'

/** As many as cannot be guessed, of those that an Authorization header takes as they are. */
const leastSecretLength = 32

/** The address from which operators change what the hub does: there is none without a secret that is worth the name. */
export function resolveAdmin(
  settings: Settings,
  others: { addr: Address; metrics_addr: Address | null },
  report: Report,
): Config['admin'] {
  const { admin_addr: listen, admin_secret: secret } = settings
  if (listen === null) return null
  for (const [key, other] of Object.entries(others)) {
    if (other === null || !clash(listen, other)) continue
    report(
      ['admin_addr'],
      `${formatAddress(listen)} is taken by ${key} (${formatAddress(other)}): choose another port.`,
      [key],
    )
  }
  const fault = faultOf(secret)
  if (fault !== null || secret === null) {
    report(secret === null ? ['admin_addr'] : ['admin_secret'], `${fault} \`openssl rand -base64 48\` makes one.`, [
      'admin_addr',
      'admin_secret',
      'admin_secret_file',
    ])
    return null
  }
  return { listen, secret }
}

function faultOf(secret: string | null): string | null {
  if (secret === null)
    return 'needs admin_secret or admin_secret_file: without one everybody who reaches the address could close streams.'
  if (!/^[\x21-\x7e]*$/.test(secret))
    return 'has a space, a line break or another character that an Authorization header does not take.'
  return secret.length < leastSecretLength
    ? `has ${secret.length} characters, and needs ${leastSecretLength} random ones.`
    : null
}
