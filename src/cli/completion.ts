import { Argument, Command } from 'commander'
import { bashScript } from './completion/bash.ts'
import { fishScript } from './completion/fish.ts'
import { type CommandWords, readWords } from './completion/words.ts'
import { zshScript } from './completion/zsh.ts'
import { examples } from './examples.ts'
import { writeOut } from './output.ts'

const scripts: Readonly<Record<string, (commands: readonly CommandWords[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
}

/** `talaria completion`: prints a script that lets a shell complete the program's commands, flags and files. */
export function completionCommand(program: Command): Command {
  return new Command('completion')
    .description('Print a script that completes commands, flags and files in a shell.')
    .addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(scripts)))
    .addHelpText(
      'after',
      examples(
        'eval "$(talaria completion bash)"                                       in ~/.bashrc',
        'source <(talaria completion zsh)                                        in ~/.zshrc, after compinit',
        'talaria completion fish > ~/.config/fish/completions/talaria.fish',
      ),
    )
    .action(async (shell: string) => {
      await writeOut(process.stdout, [scripts[shell]!(readWords(program))])
    })
}
