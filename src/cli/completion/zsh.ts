import type { CommandWords, Flag, Value } from './words.ts'

/** A script for zsh: a file named `_talaria` in a directory of `$fpath`, or `source <(talaria completion zsh)`. */
export function zshScript(commands: readonly CommandWords[]): string {
  return `#compdef talaria
# Completion of talaria for zsh. In ~/.zshrc, after compinit: source <(talaria completion zsh)
_talaria_at_files() { compset -P @ && _files }
_talaria() {
  local curcontext=$curcontext state line
  local -a commands=(
${commands.map(({ name, description }) => `    ${quote(`${name}:${description}`)}`).join('\n')}
  )
  _arguments -C '1: :->command' '*:: :->rest' && return
  case $state in
    command) _describe command commands ;;
    rest)
      case $line[1] in
${commands.map(commandCase).join('\n')}
      esac ;;
  esac
}
if [[ $funcstack[1] == _talaria ]]; then _talaria "$@"; else compdef _talaria talaria; fi
`
}

function commandCase({ name, flags, argument }: CommandWords): string {
  const specs = [...flags.flatMap(specsOf), quote(`*: :${complete(argument)}`)]
  return `        ${name}) _arguments \\\n${specs.map(spec => `          ${spec}`).join(' \\\n')} ;;`
}

/** `'--flag=[description]:value:action'`; may be given again, since many may. */
function specsOf({ names, description, value, isValueOptional }: Flag): string[] {
  const colons = isValueOptional ? '::' : ':'
  const rest = value === undefined ? '' : `${colons}value:${complete(value)}`
  return names.map(name => {
    const join = value === undefined ? '' : name.startsWith('--') ? '=' : '+'
    return quote(`*${name}${join}[${description.replace(/[[\]\\:]/g, '\\$&')}]${rest}`)
  })
}

function complete(value: Value): string {
  if (value === 'any') return '()'
  if (value === 'file') return '_files'
  return value === '@file' ? '_talaria_at_files' : `(${value.join(' ')})`
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
