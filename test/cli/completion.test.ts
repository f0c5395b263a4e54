import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isMissing, runCommand, runProgram } from '../support/command.ts'

let directory: string
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'talaria-completion-'))
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, out, err } = await runCommand(['completion', shell])
    assert.deepEqual([code, err], [0, ''])
    await writeFile(join(directory, `script.${shell}`), out)
  }
  for (const name of ['mercure.yaml', 'to ken.txt']) await writeFile(join(directory, name), '')
  await mkdir(join(directory, 'tokens'))
})
after(() => rm(directory, { recursive: true }))

const run = async (shell: string, args: string[]): Promise<string[]> => {
  const { out, err } = await runProgram(shell, args, { cwd: directory })
  assert.equal(err, '')
  return out
    .split('\n')
    .filter(line => line !== '')
    .sort()
}

/** What bash would offer for these words, as it takes them apart. */
const offeredByBash = (...words: string[]) =>
  run('bash', [
    '--norc',
    '-c',
    `source script.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _talaria; printf '%s\\n' "\${COMPREPLY[@]}"`,
    'bash',
    'talaria',
    ...words,
  ])

test('bash completes commands, flags, choices and files', { skip: isMissing('bash') }, async () => {
  assert.deepEqual(await offeredByBash('pub'), ['publish'])
  assert.deepEqual(await offeredByBash('ca'), [], 'hidden commands are not offered')
  assert.deepEqual(await offeredByBash('publish', '--pri'), ['--private'])
  assert.deepEqual(await offeredByBash('token', '--generation', ''), ['0.x', '1.0'])
  assert.deepEqual(await offeredByBash('token', '--generation', '=', '1'), ['1.0'])
  assert.deepEqual(await offeredByBash('check', '--config', 'mer'), ['mercure.yaml'])
  assert.deepEqual(await offeredByBash('history', 'mer'), ['mercure.yaml'])
  assert.deepEqual(await offeredByBash('publish', 'x', '--data', '@', 'to'), ['@to\\ ken.txt', '@tokens/'])
  assert.deepEqual(await offeredByBash('publish', 'x', '--data', '=@', 'to'), ['@to\\ ken.txt', '@tokens/'])
  assert.deepEqual(await offeredByBash('publish', 'x', '--data', 'to'), [], 'data is not a file unless an @ says so')
  assert.deepEqual(await offeredByBash('completion', ''), ['bash', 'fish', 'zsh'])
  assert.deepEqual(await offeredByBash('serve', '--debug', ''), ['false', 'true'])
})

test('fish does', { skip: isMissing('fish') }, async () => {
  const offered = async (line: string) => {
    const lines = await run('fish', ['--no-config', '-c', `source script.fish; complete -C '${line}'`])
    return lines.map(one => one.split('\t')[0])
  }
  assert.deepEqual(await offered('talaria pub'), ['publish'])
  assert.deepEqual(await offered('talaria ca'), [])
  assert.deepEqual(await offered('talaria publish --pri'), ['--private'])
  assert.deepEqual(await offered('talaria token --generation '), ['0.x', '1.0'])
  assert.deepEqual(await offered('talaria check --config mer'), ['mercure.yaml'])
  assert.deepEqual(await offered('talaria publish x --data @to'), ['@to ken.txt', '@tokens/'])
  assert.deepEqual(await offered('talaria publish x --type '), [])
})

test('zsh does', { skip: isMissing('zsh') }, async () => {
  // Its completion runs in the line editor alone: another zsh has a terminal, gets a line and a Tab, and shows what becomes of it.
  const offered = async (line: string) => {
    const [shown = ''] = await run('zsh', ['-f', '-c', inTerminal, 'zsh', line])
    return shown
  }
  assert.equal(await offered('talaria pub'), 'talaria publish ')
  assert.equal(await offered('talaria publish --pri'), 'talaria publish --private ')
  assert.equal(await offered('talaria token --generation 1'), 'talaria token --generation 1.0 ')
  assert.equal(await offered('talaria check --config mer'), 'talaria check --config mercure.yaml ')
  assert.equal(await offered('talaria publish x --data @to\\ '), 'talaria publish x --data @to\\ ken.txt ')
})

/** Prints the line that the editor has after a Tab. */
const inTerminal = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1= PS2=; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -D; source script.zsh'
zpty -w shell 'show() { print -r -- "<<$BUFFER>>"; exit }; zle -N show; bindkey "^X" show; print rea""dy'
zpty -r shell output '*ready*'
zpty -n -w shell "$1"$'\\t\\x18'
zpty -r shell output '*>>*'
print -r -- "\${\${output##*<<}%%>>*}"
`

test('a description is not cut where it begins to say something', async () => {
  const script = await readFile(join(directory, 'script.fish'), 'utf8')
  assert.match(script, / -l dev -d 'key, grants and expiry for a development hub: the well-known secret, /)
  assert.match(script, /-a health -d 'Ask the running hub: exit code 0 when it is ready, else 1 and why'/)
})

test('a shell that it does not know is refused', async () => {
  const { code, out, err } = await runCommand(['completion', 'tcsh'])
  assert.deepEqual([code, out], [1, ''])
  assert.match(err, /^error: .+ Allowed choices are bash, zsh, fish\.\n/)
})
