import type { Argument, Command, Option } from 'commander'

/** What may stand for a value: one of some words, a file, `@` and a file, or what nobody can guess. */
export type Value = readonly string[] | 'file' | '@file' | 'any'

export interface Flag {
  /** `--data`, and its short form before it. */
  readonly names: readonly string[]
  readonly description: string
  /** `undefined`: it takes none. */
  readonly value: Value | undefined
  readonly isValueOptional: boolean
}

export interface CommandWords {
  readonly name: string
  readonly description: string
  readonly flags: readonly Flag[]
  /** What its arguments are; `any` if it has none. */
  readonly argument: Value
}

/** What can be completed in a program: its visible commands, their flags and the values of these. */
export function readWords(program: Command): CommandWords[] {
  const help = program.createHelp()
  const commands = help.visibleCommands(program)
  const names = commands.map(command => command.name())
  return commands.map(command => ({
    name: command.name(),
    description: firstSentence(command.description()),
    flags: help.visibleOptions(command).map(readFlag),
    argument: command.name() === 'help' ? names : readArgument(command.registeredArguments[0]),
  }))
}

function readFlag({ short, long, flags, description, required, optional, argChoices }: Option): Flag {
  const names = [short, long].filter(name => name !== undefined)
  const value = required || optional ? (argChoices ?? readValue(flags, description)) : undefined
  return { names, description: firstSentence(description), value, isValueOptional: optional }
}

function readArgument(argument: Argument | undefined): Value {
  if (argument === undefined) return 'any'
  return argument.argChoices ?? (['file', 'log'].includes(argument.name()) ? 'file' : 'any')
}

function readValue(flags: string, description: string): Value {
  if (flags.endsWith('[boolean]')) return ['true', 'false']
  if (flags.endsWith('<file>')) return 'file'
  return description.includes('@FILE') ? '@file' : 'any'
}

/** Shells show it on one line, and in quotes. What follows a colon says what is meant. */
const firstSentence = (text: string): string => text.replace(/(?<=\w)[.;](\s[\s\S]*)?$/, '')
