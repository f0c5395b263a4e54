import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Admin } from '@platformatic/kafka'
import type { Certificate } from '../certificate.ts'
import { announced } from './announcement.ts'
import { freePort } from './free-port.ts'
import { fetchJars, lacksJava } from './jars.ts'
import { missing } from './missing.ts'
import { tether } from './tether.ts'

const run = promisify(execFile)

const lack = await lacksJava()
/** Why tests that start and stop a broker are skipped; `false`: they are not. */
export const noKafkaProgram: string | false = lack !== false && missing(`No Kafka runs here. ${lack}`)

/** A Kafka for tests that want but a place for a log: the one that TALARIA_TEST_KAFKA_URL names, or one that is started for them. */
export async function openKafka(): Promise<AsyncDisposable & { readonly url: URL }> {
  const { TALARIA_TEST_KAFKA_URL } = process.env
  if (TALARIA_TEST_KAFKA_URL === undefined) return await KafkaServer.start()
  return { url: new URL(TALARIA_TEST_KAFKA_URL), [Symbol.asyncDispose]: async () => {} }
}

export interface KafkaOptions {
  /** Further settings of `server.properties`, as `name=value`. */
  readonly settings?: readonly string[]
  /** For listeners of their own, at which a user and a password are asked for, without TLS and with it. */
  readonly users?: Readonly<Record<string, string>>
  readonly certificate?: Certificate
  /** The one that controls the cluster to which this one belongs. Absent: itself. */
  readonly controller?: KafkaServer
}

/** The ports at which it listens, and what it speaks there. */
interface Ports {
  readonly plain: number
  /** Clients that come there are sent on to the port of a relay. */
  readonly relayed: number
  readonly controller: number
  readonly sasl: number
  readonly tls: number
}

const java = ['-Xms64m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData']
const clusterId = '4L6g3nShT-eMCtK--X86sw'

/** A real Kafka broker of a test's own, in KRaft mode, thrown away at the end. */
export class KafkaServer implements AsyncDisposable {
  /** The number by which the cluster knows it. */
  readonly id: number
  readonly directory: string
  readonly ports: Ports
  readonly #classPath: string
  readonly #options: KafkaOptions
  #relayPort: number
  readonly #admins: Admin[] = []
  #child: ChildProcess | undefined

  static async start(options: KafkaOptions = {}): Promise<KafkaServer> {
    const server = await KafkaServer.prepare(options)
    await server.run()
    return server
  }

  /** One that is still to be run: it can be told the port of a relay before. */
  static async prepare(options: KafkaOptions = {}): Promise<KafkaServer> {
    const classPath = await fetchJars('kafka-3.9.2', new URL('kafka/pom.xml', import.meta.url))
    const directory = await mkdtemp(join(tmpdir(), 'talaria-kafka-'))
    const [plain, relayed, controller, sasl, tls] = await freePorts(5)
    const ports = { plain: plain!, relayed: relayed!, controller: controller!, sasl: sasl!, tls: tls! }
    return new KafkaServer(classPath, directory, ports, options)
  }

  private constructor(classPath: string, directory: string, ports: Ports, options: KafkaOptions) {
    this.#classPath = classPath
    this.directory = directory
    this.ports = ports
    this.#options = options
    this.id = options.controller === undefined ? 1 : options.controller.id + 1
    this.#relayPort = ports.relayed
  }

  get url(): URL {
    return new URL(`kafka://127.0.0.1:${this.ports.plain}`)
  }

  /** Before it is run: clients of the port `relayed` are to come through a relay. */
  relayThrough(port: number): void {
    this.#relayPort = port
  }

  /** Starts it, after `stop` and `kill` too; resolves when it answers. */
  async run(): Promise<void> {
    const file = join(this.directory, 'server.properties')
    await writeFile(file, `${(await this.#settings()).join('\n')}\n`)
    const simpleLogger = '-Dorg.slf4j.simpleLogger'
    const level = [`${simpleLogger}.defaultLogLevel=error`, `${simpleLogger}.log.kafka.server.KafkaRaftServer=info`]
    const classes = ['-cp', this.#classPath]
    if (!(await this.#isFormatted())) {
      const scram = Object.entries(this.#options.users ?? {}).flatMap(([name, password]) =>
        [256, 512].flatMap(bits => ['--add-scram', `SCRAM-SHA-${bits}=[name=${name},password=${password}]`]),
      )
      const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', file, ...scram]
      await run('java', [...java, ...level, ...classes, ...format])
    }
    const child = spawn('java', [...java, ...level, ...classes, 'kafka.Kafka', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    tether(child)
    this.#child = child
    await announced(child, /Kafka Server started/, 'Kafka')
  }

  async #isFormatted(): Promise<boolean> {
    try {
      await readFile(join(this.directory, 'logs', 'meta.properties'))
      return true
    } catch {
      return false
    }
  }

  async #settings(): Promise<string[]> {
    const { plain, relayed, controller, sasl, tls } = this.ports
    const { users, certificate, controller: other, settings = [] } = this.#options
    const at = (name: string, port: number) => `${name}://127.0.0.1:${port}`
    const listeners = [at('PLAIN', plain), at('RELAYED', relayed)]
    const advertised = [at('PLAIN', plain), at('RELAYED', this.#relayPort)]
    const protocols = ['PLAIN:PLAINTEXT', 'RELAYED:PLAINTEXT', 'CONTROLLER:PLAINTEXT']
    const more: string[] = []
    if (users !== undefined) {
      listeners.push(at('SASL', sasl))
      advertised.push(at('SASL', sasl))
      protocols.push('SASL:SASL_PLAINTEXT')
      more.push(...credentials('sasl', users))
    }
    if (certificate !== undefined) {
      listeners.push(at('TLS', tls))
      advertised.push(`TLS://localhost:${tls}`)
      protocols.push(`TLS:${users === undefined ? 'SSL' : 'SASL_SSL'}`)
      if (users !== undefined) more.push(...credentials('tls', users))
      const file = join(this.directory, 'keystore.pem')
      await writeFile(
        file,
        (await readFile(certificate.keyFile, 'utf8')) + (await readFile(certificate.certFile, 'utf8')),
      )
      more.push(`listener.name.tls.ssl.keystore.location=${file}`, 'listener.name.tls.ssl.keystore.type=PEM')
    }
    const roles =
      other === undefined
        ? [
            'process.roles=broker,controller',
            `node.id=${this.id}`,
            `controller.quorum.voters=${this.id}@127.0.0.1:${controller}`,
            `listeners=${[...listeners, at('CONTROLLER', controller)]}`,
          ]
        : [
            'process.roles=broker',
            `node.id=${this.id}`,
            `controller.quorum.voters=${other.id}@127.0.0.1:${other.ports.controller}`,
            `listeners=${listeners}`,
          ]
    return [
      ...roles,
      `advertised.listeners=${advertised}`,
      'inter.broker.listener.name=PLAIN',
      'controller.listener.names=CONTROLLER',
      `listener.security.protocol.map=${protocols}`,
      `log.dirs=${join(this.directory, 'logs')}`,
      // A broker that was killed is taken for gone after this time.
      'broker.session.timeout.ms=2000',
      'broker.heartbeat.interval.ms=500',
      'auto.create.topics.enable=false',
      'num.network.threads=2',
      'num.io.threads=4',
      'log.cleaner.dedupe.buffer.size=4194304',
      'offsets.topic.num.partitions=1',
      'offsets.topic.replication.factor=1',
      'transaction.state.log.num.partitions=1',
      'transaction.state.log.replication.factor=1',
      'transaction.state.log.min.isr=1',
      'group.initial.rebalance.delay.ms=0',
      ...more,
      ...settings,
    ]
  }

  /** For a look, or a hand, behind the hub's back. */
  admin(): Admin {
    const admin = new Admin({ clientId: 'tests', bootstrapBrokers: [`127.0.0.1:${this.ports.plain}`] })
    this.#admins.push(admin)
    return admin
  }

  /** It stands still, and its connections stay. */
  pause(): void {
    this.#child!.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** As it is told to by an operator. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  /** As a crash would: nobody gets a word. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
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
    await Promise.all(this.#admins.map(admin => admin.close()))
    await this.kill()
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** The settings of a listener at which these users may log in, by every mechanism. */
function credentials(listener: string, users: Readonly<Record<string, string>>): string[] {
  const own = `listener.name.${listener}`
  const known = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`)
  const security = 'org.apache.kafka.common.security'
  return [
    `${own}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512`,
    `${own}.plain.sasl.jaas.config=${security}.plain.PlainLoginModule required ${known.join(' ')};`,
    `${own}.scram-sha-256.sasl.jaas.config=${security}.scram.ScramLoginModule required;`,
    `${own}.scram-sha-512.sasl.jaas.config=${security}.scram.ScramLoginModule required;`,
  ]
}

async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await freePort())
  return [...ports]
}
