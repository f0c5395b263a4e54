import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { chmod, chown, copyFile, cp, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expand, type Instruction, parseDockerfile, readArg, readPairs, type Stage } from './dockerfile.ts'
import { root } from './process.ts'

const run = promisify(execFile)
export const isRoot = process.getuid?.() === 0

/** What the last stage says of how to run it. */
export interface ImageConfig {
  readonly env: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly workdir: string
  readonly user: string
  readonly exposed: readonly string[]
  readonly volumes: readonly string[]
  readonly stopSignal: string
  readonly entrypoint: readonly string[]
  readonly command: readonly string[]
  readonly healthcheck: readonly string[]
}

/** A stage that has been built: `files` is its root directory, with nothing of its base in it. */
export interface Built {
  readonly files: string
  /** The directory of programs of its base: this Node. */
  readonly base: string
  readonly config: ImageConfig
}

/**
 * Runs the steps of the Dockerfile in a directory: files of the context are copied as Docker would, of those that .dockerignore leaves;
 * commands run for real, on this Node, in the directory of their stage, and name none outside of it.
 */
export class ImageBuild implements AsyncDisposable {
  readonly bases: readonly string[]
  readonly #stages: ReadonlyMap<string, Stage>
  readonly #args: Readonly<Record<string, string>>
  readonly #directory: string
  readonly #context: ReadonlySet<string>
  readonly #built = new Map<string, Promise<Built>>()

  static async prepare(args: Readonly<Record<string, string>>): Promise<ImageBuild> {
    const directory = await mkdtemp(join(tmpdir(), 'talaria-image-'))
    // Containers are of another user.
    await chmod(directory, 0o755)
    // This Node is the one of the base, and may be where only this user can look.
    await mkdir(join(directory, 'base'))
    await copyFile(process.execPath, join(directory, 'base/node'), constants.COPYFILE_FICLONE)
    const ignore = await readFile(join(root, '.dockerignore'), 'utf8')
    return new ImageBuild(args, directory, readContext(ignore), await readFile(join(root, 'Dockerfile'), 'utf8'))
  }

  private constructor(
    args: Readonly<Record<string, string>>,
    directory: string,
    context: ReadonlySet<string>,
    text: string,
  ) {
    const { stages } = parseDockerfile(text)
    this.#args = args
    this.#directory = directory
    this.#context = context
    this.#stages = new Map(stages.map(stage => [stage.name, stage]))
    this.bases = stages.map(({ base }) => base).filter(base => !this.#stages.has(base))
  }

  /** A directory beside those of the stages, which goes with them. */
  async makeDirectory(name: string): Promise<string> {
    return await mkdtemp(join(this.#directory, `${name}-`))
  }

  /** Builds a stage once, and before it those that it copies from, at the same time. */
  build(name: string): Promise<Built> {
    const built =
      this.#built.get(name) ?? this.#build(this.#stages.get(name) ?? assert.fail(`there is no stage ${name}`))
    this.#built.set(name, built)
    return built
  }

  async #build({ name, instructions }: Stage): Promise<Built> {
    const sources = new Set(instructions.flatMap(({ flags }) => flags.from ?? []))
    await Promise.all([...sources].map(source => this.build(source)))
    const files = join(this.#directory, name)
    await mkdir(files)
    const stage: StageUnderWay = { files, env: {}, args: {}, workdir: '/', config: {} }
    for (const instruction of instructions) await this.#perform(instruction, stage)
    const { env, workdir } = stage
    return { files, base: join(this.#directory, 'base'), config: { ...emptyConfig, ...stage.config, env, workdir } }
  }

  async #perform(instruction: Instruction, stage: StageUnderWay): Promise<void> {
    const { name, text } = instruction
    const { config } = stage
    if (name === 'RUN') return await this.#run(text, stage)
    if (name === 'COPY') return await this.#copy(instruction, stage)
    if (name === 'WORKDIR') {
      stage.workdir = text
      await mkdir(join(stage.files, text), { recursive: true })
    } else if (name === 'ARG') {
      const { key, byDefault } = readArg(instruction)
      // A platform's is the builder's to say.
      if (key.startsWith('TARGET')) assert.equal(byDefault, undefined, key)
      stage.args[key] = this.#args[key] ?? byDefault ?? assert.fail(`ARG ${key} is not given`)
    } else if (name === 'ENV') Object.assign(stage.env, readPairs(text))
    else if (name === 'LABEL') config.labels = { ...config.labels, ...readPairs(expand(text, stage.args)) }
    else if (name === 'USER') config.user = text
    else if (name === 'EXPOSE') config.exposed = text.split(' ')
    else if (name === 'VOLUME') config.volumes = text.split(' ')
    else if (name === 'STOPSIGNAL') config.stopSignal = text
    else if (name === 'ENTRYPOINT') config.entrypoint = JSON.parse(text)
    else if (name === 'CMD') config.command = JSON.parse(text)
    else if (name === 'HEALTHCHECK') config.healthcheck = JSON.parse(/^CMD (.*)$/.exec(text)![1]!)
    else assert.fail(`${name} is not known here`)
  }

  async #run(command: string, { files, workdir, args }: StageUnderWay): Promise<void> {
    assert.doesNotMatch(command, /(^|[\s"'=(:])[/~]|\.\.\/\.\./, 'a step names what is outside of its directory')
    const env = {
      ...process.env,
      ...args,
      PATH: `${join(this.#directory, 'base')}:${process.env.PATH}`,
      npm_config_prefer_offline: 'true',
    }
    await run('sh', ['-ec', command], { cwd: join(files, workdir), env }).catch(error => {
      assert.fail(`RUN ${command}\n${error.stdout}${error.stderr}`)
    })
  }

  async #copy({ flags, text }: Instruction, { files, workdir }: StageUnderWay): Promise<void> {
    const [target = '', ...sources] = text.split(/\s+/).reverse()
    const to = join(files, target.startsWith('/') ? '/' : workdir, target)
    const from = flags.from === undefined ? root : (await this.build(flags.from)).files
    for (const source of sources) {
      if (flags.from === undefined) assert.ok(this.#context.has(source), `${source} is not in the context`)
      const path = join(from, source)
      // Of a directory its entries are copied.
      const isInto = target.endsWith('/') && (await stat(path)).isFile()
      await mkdir(isInto ? to : dirname(to), { recursive: true })
      await cp(path, isInto ? join(to, basename(source)) : to, { recursive: true, verbatimSymlinks: true })
    }
    const [uid, gid] = (flags.chown ?? '0:0').split(':').map(Number)
    if (isRoot) await chown(to, uid!, gid!)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#built.values())
    // What was made unwritable for the hub is so for who is not root.
    if (!isRoot) await run('chmod', ['-R', 'u+w', this.#directory])
    await rm(this.#directory, { recursive: true })
  }
}

interface StageUnderWay {
  readonly files: string
  readonly env: Record<string, string>
  readonly args: Record<string, string>
  workdir: string
  readonly config: { -readonly [Key in keyof ImageConfig]?: ImageConfig[Key] }
}

const emptyConfig: ImageConfig = {
  env: {},
  labels: {},
  workdir: '/',
  user: 'root',
  exposed: [],
  volumes: [],
  stopSignal: 'SIGTERM',
  entrypoint: [],
  command: [],
  healthcheck: [],
}

/** `*`, and then what is in the context after all: of all that a .dockerignore may say, this one says no more. */
function readContext(ignore: string): ReadonlySet<string> {
  const [first, ...rest] = ignore.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  assert.equal(first, '*')
  return new Set(rest.map(line => /^!\/([\w.-]+)$/.exec(line)?.[1] ?? assert.fail(`.dockerignore: ${line}`)))
}
