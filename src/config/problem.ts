import { HubError } from '../errors.ts'

/** A key of the configuration and the way into it: `['issuers', 0, 'publisher']`. */
export type Path = readonly (string | number)[]

/** One thing that keeps the hub from starting. Holds no secret. */
export interface Problem {
  /** `issuers[0].publisher`; null: none in particular. */
  readonly key: string | null
  /** `mercure.yaml:12`, `environment variable ADDR`, `--addr`; null: nowhere, the key is not set. */
  readonly where: string | null
  /** A sentence. */
  readonly message: string
}

/**
 * Takes a problem of the key at a path.
 * @param causes keys that the sentence rests on: when one of them has a problem already, this one only follows from it and is left out
 */
export type Report = (path: Path, message: string, causes?: readonly string[]) => void

/** A configuration that no hub starts with. The message has a line for each problem. */
export class ConfigurationError extends HubError {
  readonly problems: readonly Problem[]

  constructor(found: readonly Problem[]) {
    const lines = new Map(found.map(problem => [formatProblem(problem), problem]))
    const count = lines.size === 1 ? 'a problem' : `${lines.size} problems`
    super('configuration_invalid', [`The configuration has ${count}:`, ...lines.keys()].join('\n  '))
    this.problems = [...lines.values()]
  }
}

/**
 * An error of what is chosen by `transport_url`, with the place where that is set: the options in it are read by the transport, which does not
 * know that. Any other error as it is.
 */
export function locate(error: unknown, sources: Readonly<Record<string, string>>): unknown {
  if (!(error instanceof HubError) || error instanceof ConfigurationError) return error
  const key = 'transport_url_file' in sources ? 'transport_url_file' : 'transport_url'
  const [, message] = /^transport_url(?:, |: )(.*)$/s.exec(error.message) ?? []
  if (error.code !== 'configuration_invalid' || message === undefined || sources[key] === undefined) return error
  return new ConfigurationError([{ key, where: sources[key], message }])
}

/** `issuers[0].publisher`. What is no name is not shown: a key without the space after its colon has its value in it. */
export const formatPath = (path: Path): string =>
  path
    .map((part, at) => {
      if (typeof part === 'number') return `[${part}]`
      const name = /^[\w-]{1,60}$/.test(part) ? part : '…'
      return at === 0 ? name : `.${name}`
    })
    .join('')

const formatProblem = ({ key, where, message }: Problem): string =>
  `${[key, where && (key === null ? where : `(${where})`)].filter(Boolean).join(' ')}: ${message}`
