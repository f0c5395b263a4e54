import type { CommandWords, Flag, Value } from './words.ts'

/** A script for bash: `eval "$(talaria completion bash)"`. */
export function bashScript(commands: readonly CommandWords[]): string {
  return `# Completion of talaria for bash. In ~/.bashrc: eval "$(talaria completion bash)"
_talaria() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} command= mark= word
  # bash takes --flag=value and @file apart: --flag, =, value and @, file and =@.
  case $cur in = | @ | =@) mark=$cur cur= ;; *) case $prev in = | @ | =@) mark=$prev prev=\${COMP_WORDS[COMP_CWORD - 2]} ;; esac ;; esac
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
    case $word in ${commands.map(({ name }) => name).join(' | ')}) command=$word; break ;; esac
  done
  COMPREPLY=()
  case $command$prev in
${commands.flatMap(command => command.flags.flatMap(flag => valueCase(command, flag))).join('\n')}
  esac
  case $command in
    '')
      _talaria_words '${commands.map(({ name }) => name).join(' ')}' ;;
${commands.map(commandCase).join('\n')}
  esac
}
_talaria_words() { COMPREPLY+=($(compgen -W "$1" -- "$cur")); }
_talaria_files() { compopt -o filenames 2>/dev/null; local IFS=$'\\n'; COMPREPLY+=($(compgen -f -- "$cur")); }
# What is replaced begins at the @, though it is a word of its own; -o filenames would put a backslash before it.
_talaria_at_files() {
  if [[ $mark != *@ ]]; then [[ $cur == @* ]] || return; cur=\${cur#@}; fi
  local IFS=$'\\n' file
  for file in $(compgen -f -- "$cur"); do
    if [[ -d $file ]]; then compopt -o nospace 2>/dev/null; file+=/; fi
    printf -v file %q "$file"
    COMPREPLY+=("@$file")
  done
}
complete -F _talaria talaria
`
}

/** The words after a flag. Where its value is optional, another flag may follow as well. */
function valueCase({ name }: CommandWords, { names, value, isValueOptional }: Flag): string[] {
  if (value === undefined) return []
  const patterns = names.map(flag => `${name}${flag}`).join(' | ')
  const end = isValueOptional ? '[[ $cur == -* ]] || return' : 'return'
  return [`    ${patterns}) ${[complete(value), end].filter(part => part !== '').join('; ')} ;;`]
}

function commandCase({ name, flags, argument }: CommandWords): string {
  const words = flags.flatMap(({ names }) => names.filter(flag => flag.startsWith('--'))).join(' ')
  const others = complete(argument) || ':'
  return `    ${name}) if [[ $cur == -* ]]; then _talaria_words '${words}'; else ${others}; fi ;;`
}

function complete(value: Value): string {
  if (value === 'any') return ''
  if (value === 'file') return '_talaria_files'
  return value === '@file' ? '_talaria_at_files' : `_talaria_words '${value.join(' ')}'`
}
