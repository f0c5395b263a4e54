import type { CommandWords, Flag, Value } from './words.ts'

/** A script for fish: `talaria completion fish > ~/.config/fish/completions/talaria.fish`. */
export function fishScript(commands: readonly CommandWords[]): string {
  const lines = commands.flatMap(command => [
    `complete -c talaria -n __fish_use_subcommand -a ${command.name} -d ${quote(command.description)}`,
    ...[...command.flags.map(flagArguments), argumentOf(command.argument)]
      .filter(text => text !== '')
      .map(text => `complete -c talaria -n '__fish_seen_subcommand_from ${command.name}' ${text}`),
  ])
  return `# Completion of talaria for fish. In ~/.config/fish/config.fish: talaria completion fish | source
function __talaria_at_files
  set -l token (commandline -ct | string replace -r '^--?[\\w-]+=' '')
  string match -q '@*' -- $token; and for file in (__fish_complete_path (string sub -s 2 -- $token)); echo @$file; end
end
complete -c talaria -f
${lines.join('\n')}
`
}

function flagArguments({ names, description, value, isValueOptional }: Flag): string {
  const parts = names.map(name => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
  if (value !== undefined && !isValueOptional) parts.push(value === 'file' ? '-r' : '-x')
  if (value !== undefined) parts.push(argumentOf(value))
  return [...parts, `-d ${quote(description)}`].filter(part => part !== '').join(' ')
}

function argumentOf(value: Value): string {
  if (value === 'any') return ''
  if (value === 'file') return '-F'
  return value === '@file' ? "-a '(__talaria_at_files)'" : `-a ${quote(value.join(' '))}`
}

const quote = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`
