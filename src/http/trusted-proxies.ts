import { BlockList, isIPv6 } from 'node:net'

/** The peers whose word on a request is taken. */
export class TrustedProxies {
  readonly #networks = new BlockList()

  /** Addresses with the length of a prefix: `10.0.0.0/8`, `::1/128`. */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address = '', prefix] = network.split('/')
      this.#networks.addSubnet(address, Number(prefix), familyOf(address))
    }
  }

  has(address: string): boolean {
    return this.#networks.check(address, familyOf(address))
  }
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIPv6(address) ? 'ipv6' : 'ipv4')
