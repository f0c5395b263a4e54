import assert from 'node:assert/strict'

/** One line of a Dockerfile, `\` at ends of lines taken away. */
export interface Instruction {
  /** In capitals. */
  readonly name: string
  /** `--from=build` as `from: build`. */
  readonly flags: Readonly<Record<string, string>>
  /** What follows, as it stands there. */
  readonly text: string
}

/** The instructions from one FROM to the next, without it. */
export interface Stage {
  readonly name: string
  /** An image, or the name of another stage. */
  readonly base: string
  readonly instructions: readonly Instruction[]
}

export interface Dockerfile {
  /** Default values of the ARGs before the first FROM. */
  readonly args: Readonly<Record<string, string>>
  readonly stages: readonly Stage[]
}

export function parseDockerfile(text: string): Dockerfile {
  const lines = text
    .replace(/^[^\S\n]*#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter(line => line.trim() !== '')
  const args: Record<string, string> = {}
  const stages: (Stage & { instructions: Instruction[] })[] = []
  for (const instruction of lines.map(parseInstruction)) {
    if (instruction.name === 'FROM') {
      const [, base = '', name = 'final'] = /^(\S+)(?: AS (\S+))?$/.exec(expand(instruction.text, args)) ?? []
      stages.push({ name, base, instructions: [] })
    } else if (stages.length > 0) stages.at(-1)!.instructions.push(instruction)
    else {
      const { key, byDefault } = readArg(instruction)
      args[key] = byDefault ?? assert.fail(`ARG ${key} has no default`)
    }
  }
  return { args, stages }
}

function parseInstruction(line: string): Instruction {
  const [, name, flags = '', text] = /^(\w+)((?: +--\S+)*) +(.*)$/.exec(line) ?? assert.fail(`no instruction: ${line}`)
  const pairs = flags.matchAll(/--([\w-]+)=(\S+)/g)
  return {
    name: name!.toUpperCase(),
    flags: Object.fromEntries([...pairs].map(([, flag, value]) => [flag, value])),
    text: text!.trim(),
  }
}

/** `ARG NAME=default`, or `ARG NAME`, to which BuildKit gives a value: one that a default would replace. */
export function readArg({ name, text }: Instruction): { key: string; byDefault: string | undefined } {
  assert.equal(name, 'ARG')
  const [, key, byDefault] = /^(\w+)(?:=(.*))?$/.exec(text) ?? assert.fail(`ARG ${text}`)
  return { key: key!, byDefault }
}

/** `KEY=value KEY="value"` of ENV and LABEL. */
export const readPairs = (text: string): Record<string, string> =>
  Object.fromEntries(
    [...text.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S*))/g)].map(([, key, quoted, bare]) => [key, quoted ?? bare]),
  )

/** Puts values for `$NAME` and `${NAME}`; one that is not known is an error. */
export const expand = (text: string, values: Readonly<Record<string, string>>): string =>
  text.replace(
    /\$(?:\{(\w+)\}|(\w+))/g,
    (whole, braced, bare) => values[braced ?? bare] ?? assert.fail(`${whole} is not set`),
  )
