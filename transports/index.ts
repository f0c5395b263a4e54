import type { Archive, OpenArchive } from '../src/archive.ts'
import { HubError } from '../src/errors.ts'
import type { OpenTransport, Transport, TransportContext } from '../src/transport.ts'

/** What a transport's file exports. */
interface TransportModule {
  readonly open: OpenTransport
  /** Reads the URL as `open` would, and opens nothing. @throws HubError `configuration_invalid` */
  readonly checkUrl: (url: URL) => void
  /** For a transport that knows more of its log than the port tells. */
  readonly openArchive?: OpenArchive
}

interface Entry {
  /** Loads it when it is chosen: the others' clients need not be installed. */
  readonly load: () => Promise<TransportModule>
  /** One process alone can have this log open: others get it from that one. */
  readonly isSingleNode: boolean
}

/** The transport of each URL scheme. */
const transports: Readonly<Record<string, Entry>> = {
  local: { load: () => import('./local.ts'), isSingleNode: true },
  bolt: { load: loadBolt, isSingleNode: true },
  redis: { load: () => import('./redis.ts'), isSingleNode: false },
  rediss: { load: () => import('./redis.ts'), isSingleNode: false },
  valkey: { load: () => import('./redis.ts'), isSingleNode: false },
  postgres: { load: () => import('./postgres.ts'), isSingleNode: false },
  postgresql: { load: () => import('./postgres.ts'), isSingleNode: false },
  kafka: { load: () => import('./kafka.ts'), isSingleNode: false },
  pulsar: { load: () => import('./pulsar.ts'), isSingleNode: false },
  'pulsar+ssl': { load: () => import('./pulsar.ts'), isSingleNode: false },
  'pulsar+ws': { load: () => import('./pulsar.ts'), isSingleNode: false },
  'pulsar+wss': { load: () => import('./pulsar.ts'), isSingleNode: false },
}

/** @throws HubError `configuration_invalid` for an unknown scheme or a bad URL, `transport_unavailable` */
export async function openTransport(url: URL, context: TransportContext): Promise<Transport> {
  const { open } = await load(url)
  return await open(url, context)
}

/** @throws HubError `configuration_invalid` as `openTransport` would for this URL; nothing is opened */
export async function checkTransportUrl(url: URL): Promise<void> {
  const { checkUrl } = await load(url)
  checkUrl(url)
}

/** @throws HubError as `openTransport`, and `configuration_invalid` for a log that keeps no history */
export async function openArchive(
  url: URL,
  { writable, ...context }: TransportContext & { readonly writable: boolean },
): Promise<Archive> {
  const { open, openArchive } = await load(url)
  if (openArchive !== undefined) return await openArchive(url, { writable })
  const transport = await open(url, context)
  const history = transport.history?.bind(transport)
  if (history === undefined) {
    await transport.close()
    throw new HubError(
      'configuration_invalid',
      `${url.protocol}// keeps its updates in the memory of its hub: they cannot be read from here.`,
    )
  }
  return {
    async *read() {
      const { pages } = await history('earliest', { signal: new AbortController().signal })
      for await (const { entries } of pages) yield entries
    },
    close: () => transport.close(),
  }
}

/** Only one process can open this log at a time. @throws HubError `configuration_invalid` for an unknown scheme */
export const isSingleNode = (url: URL): boolean => entryOf(url).isSingleNode

const load = (url: URL): Promise<TransportModule> => entryOf(url).load()

function entryOf(url: URL): Entry {
  const scheme = url.protocol.slice(0, -1)
  const entry = transports[scheme]
  if (entry !== undefined) return entry
  const known = Object.keys(transports).map(name => `${name}://`)
  throw new HubError(
    'configuration_invalid',
    `transport_url: this version has no ${scheme}:// transport; it has ${known.join(', ')}.`,
  )
}

/** Its database is a program for one kind of machine, in a package that installations may leave out. */
async function loadBolt(): Promise<TransportModule> {
  try {
    return await import('./bolt.ts')
  } catch (cause) {
    throw new HubError(
      'configuration_invalid',
      `transport_url, bolt: the package "lmdb" cannot be used here; install it for ${process.platform}-${process.arch}, without --omit=optional and --ignore-scripts, or choose another transport: local://local keeps nothing, redis://, postgres://, kafka:// and pulsar:// keep updates on a server.`,
      { cause },
    )
  }
}
