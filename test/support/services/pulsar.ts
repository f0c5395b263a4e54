import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { SignJWT } from 'jose'
import type { Certificate } from '../certificate.ts'
import { freePort } from './free-port.ts'
import { fetchJars, lacksJava } from './jars.ts'
import { missing } from './missing.ts'
import { tether } from './tether.ts'

const lack = await lacksJava()
/** Why tests that start and stop a server are skipped; `false`: they are not. */
export const noPulsarProgram: string | false = lack !== false && missing(`No Pulsar runs here. ${lack}`)

/** A Pulsar for tests that want but a place for a log: the one that TALARIA_TEST_PULSAR_URL names (`pulsar+ws://…`), or one that is started for them. */
export async function openPulsar(): Promise<AsyncDisposable & Pick<PulsarServer, 'url'> & Partial<PulsarServer>> {
  const { TALARIA_TEST_PULSAR_URL } = process.env
  if (TALARIA_TEST_PULSAR_URL === undefined) return await PulsarServer.start()
  return { url: new URL(TALARIA_TEST_PULSAR_URL), [Symbol.asyncDispose]: async () => {} }
}

export interface PulsarOptions {
  /** Clients need a token, made by `token`. */
  readonly tokens?: boolean
  /** It listens at `tlsPort` as well. */
  readonly certificate?: Certificate
  /** Further settings of `standalone.conf`, as `name=value`; they go before those that are there. */
  readonly settings?: readonly string[]
}

/** As little as it runs well with. */
const java = [
  ...['-Xms128m', '-Xmx512m', '-XX:MaxDirectMemorySize=512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
  ...['java.io', 'java.util.zip', 'java.nio', 'jdk.internal.misc', 'jdk.internal.platform'].map(
    name => `--add-opens=java.base/${name}=ALL-UNNAMED`,
  ),
  '--add-opens=java.management/sun.management=ALL-UNNAMED',
  '--add-opens=jdk.management/com.sun.management.internal=ALL-UNNAMED',
  '-Djava.net.preferIPv4Stack=true',
  '-Dio.netty.tryReflectionSetAccessible=true',
  '-Dlog4j2.is.webapp=false',
  '-Dlog4j.shutdownHookEnabled=false',
]

/** A real Pulsar standalone of a test's own, thrown away at the end. Its WebSocket API and its admin API are at one port. */
export class PulsarServer implements AsyncDisposable {
  readonly port: number
  readonly brokerPort: number
  /** Of the WebSocket API and the admin API, by TLS. */
  readonly tlsPort: number
  readonly directory: string
  readonly #classPath: string
  readonly #bookiePort: number
  readonly #settings: readonly string[]
  readonly #secret: Uint8Array | undefined
  #child: ChildProcess | undefined

  static async start(options: PulsarOptions = {}): Promise<PulsarServer> {
    const classPath = await fetchJars('pulsar-4.0.7', new URL('pulsar/pom.xml', import.meta.url))
    const directory = await mkdtemp(join(tmpdir(), 'talaria-pulsar-'))
    const ports = new Set<number>()
    while (ports.size < 4) ports.add(await freePort())
    const server = new PulsarServer(classPath, directory, [...ports], options)
    await server.run()
    return server
  }

  private constructor(
    classPath: string,
    directory: string,
    ports: readonly number[],
    { tokens = false, certificate, settings = [] }: PulsarOptions,
  ) {
    this.#classPath = classPath
    this.directory = directory
    this.port = ports[0]!
    this.brokerPort = ports[1]!
    this.#bookiePort = ports[2]!
    this.tlsPort = ports[3]!
    const { certFile, keyFile } = certificate ?? {}
    const tls = [`webServicePortTls=${this.tlsPort}`, `tlsCertificateFilePath=${certFile}`, `tlsKeyFilePath=${keyFile}`]
    this.#settings = [...settings, ...(certificate === undefined ? [] : tls)]
    this.#secret = tokens ? randomBytes(32) : undefined
  }

  get url(): URL {
    return new URL(`pulsar+ws://127.0.0.1:${this.port}`)
  }

  /** For the native client. */
  get brokerUrl(): URL {
    return new URL(`pulsar://127.0.0.1:${this.brokerPort}`)
  }

  /** A token for a role; that of `admin` may do anything. */
  async token(role: string): Promise<string> {
    return await new SignJWT({ sub: role }).setProtectedHeader({ alg: 'HS256' }).sign(this.#secret!)
  }

  /** What the admin API answers, for a look, or a hand, behind the hub's back: `admin('GET', 'persistent/public/default/TOPIC/stats')`. */
  async admin(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.port}/admin/v2/${path}`, {
      method,
      headers: {
        'Content-Type': 'application/json',
        ...(this.#secret === undefined ? {} : { Authorization: `Bearer ${await this.token('admin')}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }

  /** Starts it, after `stop` too; resolves when it answers. */
  async run(): Promise<void> {
    const configuration = join(this.directory, 'standalone.conf')
    await writeFile(configuration, `${(await this.#configuration()).join('\n')}\n`)
    const logging = join(this.directory, 'log4j2.properties')
    await writeFile(logging, `${logSettings.join('\n')}\n`)
    const at = (name: string) => join(this.directory, name)
    const args = ['--config', configuration, '--no-functions-worker', '--no-stream-storage']
    args.push('--metadata-dir', at('metadata'), '--bookkeeper-dir', at('bookkeeper'))
    args.push('--bookkeeper-port', String(this.#bookiePort), '--advertised-address', '127.0.0.1')
    const main = 'org.apache.pulsar.PulsarStandaloneStarter'
    const program = [...java, `-Dlog4j.configurationFile=${logging}`, '-cp', this.#classPath, main, ...args]
    const child = spawn('java', program, { cwd: this.directory, stdio: ['ignore', 'pipe', 'pipe'] })
    tether(child)
    this.#child = child
    let text = ''
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        text = (text + chunk).slice(-10_000)
      })
    }
    const exited = once(child, 'exit')
    while (!(await this.#answers())) {
      if (child.exitCode !== null) throw new Error(`Pulsar has ended: ${text}`)
      await Promise.race([pause(100), exited])
    }
  }

  /** Its port is open before it has its namespaces. */
  async #answers(): Promise<boolean> {
    try {
      return ((await this.admin('GET', 'namespaces/public')) as string[]).includes('public/default')
    } catch {
      return false
    }
  }

  async #configuration(): Promise<string[]> {
    const secret = this.#secret
    const security =
      secret === undefined
        ? []
        : [
            'authenticationEnabled=true',
            'authorizationEnabled=true',
            'superUserRoles=admin',
            'authenticationProviders=org.apache.pulsar.broker.authentication.AuthenticationProviderToken',
            `tokenSecretKey=data:;base64,${Buffer.from(secret).toString('base64')}`,
            'brokerClientAuthenticationPlugin=org.apache.pulsar.client.impl.auth.AuthenticationToken',
            `brokerClientAuthenticationParameters=token:${await this.token('admin')}`,
          ]
    const lines = [...security, `brokerServicePort=${this.brokerPort}`, `webServicePort=${this.port}`, ...settings]
    const own = new Set(this.#settings.map(line => line.split('=')[0]))
    return [...lines.filter(line => !own.has(line.split('=')[0])), ...this.#settings]
  }

  /** It stands still, and its connections stay. */
  pause(): void {
    this.#child!.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** As it is told to by an operator: after a crash its bookie does not start again. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  /** Ends it, and starts it without anything that it had. */
  async empty(): Promise<void> {
    await this.#end('SIGKILL')
    for (const data of ['metadata', 'bookkeeper'])
      await rm(join(this.directory, data), { recursive: true, force: true })
    await this.run()
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#child = undefined
    child.kill('SIGCONT')
    child.kill(signal)
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('SIGKILL')
    await rm(this.directory, { recursive: true, force: true })
  }
}

const settings = [
  'clusterName=standalone',
  'metadataStoreUrl=',
  'bindAddress=127.0.0.1',
  'advertisedAddress=127.0.0.1',
  // Without these two a port opens on all addresses.
  'allowEphemeralPorts=true',
  'listeningInterface=lo',
  'allowLoopback=true',
  'numIOThreads=2',
  'numHttpServerThreads=8',
  'numExecutorThreadPoolSize=2',
  'numCacheExecutorThreadPoolSize=1',
  'numOrderedExecutorThreads=2',
  'bookkeeperClientNumWorkerThreads=1',
  'bookkeeperClientNumIoThreads=1',
  'bookkeeperNumberOfChannelsPerBookie=2',
  'bookkeeperUseV2WireProtocol=true',
  'managedLedgerDefaultEnsembleSize=1',
  'managedLedgerDefaultWriteQuorum=1',
  'managedLedgerDefaultAckQuorum=1',
  'managedLedgerCacheSizeMB=32',
  'managedLedgerNewEntriesCheckDelayInMillis=0',
  'loadBalancerEnabled=false',
  'webSocketServiceEnabled=true',
  'webSocketNumIoThreads=1',
  'webSocketConnectionsPerBroker=1',
  'webSocketMaxTextFrameSize=8388608',
  'allowAutoTopicCreation=true',
  'allowAutoTopicCreationType=non-partitioned',
  'systemTopicEnabled=true',
  'topicLevelPoliciesEnabled=true',
  'transactionCoordinatorEnabled=false',
  'brokerShutdownTimeoutMs=2000',
  'journalSyncData=false',
  'journalMaxGroupWaitMSec=1',
  'ledgerStorageClass=org.apache.bookkeeper.bookie.storage.ldb.DbLedgerStorage',
  'dbStorage_writeCacheMaxSizeMb=16',
  'dbStorage_readAheadCacheMaxSizeMb=16',
  'dbStorage_rocksDB_blockCacheSize=8388608',
  'diskUsageThreshold=0.99',
  'diskUsageWarnThreshold=0.99',
]

const logSettings = [
  'status = error',
  'appender.c.type = Console',
  'appender.c.name = C',
  'appender.c.layout.type = PatternLayout',
  'appender.c.layout.pattern = %d{ISO8601} [%t] %-5level %logger{36} - %msg%n',
  'rootLogger.level = warn',
  'rootLogger.appenderRef.c.ref = C',
]
