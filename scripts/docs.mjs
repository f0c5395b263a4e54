// docs/configuration.md, made of the schema and of the comments of mercure.yaml. `npm run docs` writes it; with --check it only says whether it is
// what it should be, and the exit code with it.
import { readFileSync, writeFileSync } from 'node:fs'
import { Command } from 'commander'
import * as z from 'zod'
import { keys, schema } from '../src/config/schema.ts'
import { variableOf as nameOf, readEnvironment } from '../src/config/sources/environment.ts'
import { addConfigOptions } from '../src/config/sources/flags.ts'

const reference = readFileSync(new URL('../mercure.yaml', import.meta.url), 'utf8')
const page = new URL('../docs/configuration.md', import.meta.url)
const maxColumns = 150
/** The table has it. */
const defaultSentence = / ?Default: (.*?)\.(?: |$)/

const made = render()
if (!process.argv.includes('--check')) writeFileSync(page, made)
else if (readFileSync(page, 'utf8') !== made) {
  process.stderr.write(
    'docs/configuration.md is not what src/config/schema.ts and mercure.yaml say: run `npm run docs`.\n',
  )
  process.exitCode = 1
}

function render() {
  const [head, ...sections] = reference.split(/^# --- (?=.* ---$)/m)
  const known = head === '' ? [] : sections.map(readSection)
  const missing = keys.filter(
    key => !known.some(({ groups }) => groups.some(group => group.keys.some(({ name }) => name === key))),
  )
  if (missing.length > 0) throw new Error(`mercure.yaml does not have ${missing.join(', ')}`)
  return [
    '# Configuration',
    '<!-- Made by `npm run docs` of src/config/schema.ts and mercure.yaml: change those. -->',
    wrap(
      'A key is set in a file, [`mercure.yaml`](../mercure.yaml), by an environment variable, or by a flag; flags go before the environment, and the ' +
        'environment before the file. The file is the one that `--config` names, or `mercure.yaml` in the working directory, in `~/.config/mercure` ' +
        '(`$XDG_CONFIG_HOME`), or in `/etc/mercure`. A variable that is empty counts as not set.',
    ),
    wrap(
      'Durations are written `500ms`, `15s`, `1m30s`, `2h`; sizes `1KB` (1000 bytes), `1KiB` (1024). 0 is no bound, where a key says nothing else. Lists are lists of YAML, or text with spaces ' +
        'or commas between. Names of files start in the directory of the file. A `…_file` key names a file that holds the value, for secrets; one line break ' +
        'at its end does not count.',
    ),
    wrap(
      'A key that is unknown, a value that cannot be, two keys that exclude each other: the hub does not start, and names each with its place and the nearest ' +
        'right word. `talaria check` says what a configuration means. The variables and directives of the reference hub are in [moving.md](moving.md#configuration).',
    ),
    ...known.flatMap(({ title, groups }) => [`## ${title}`, ...groups.flatMap(renderGroup)]),
  ]
    .join('\n\n')
    .concat('\n')
}

/** Keys with the comment above the first of them: one comment may be for several. */
function readSection(text) {
  const [title = '', ...lines] = text.split('\n')
  const groups = []
  let comment = []
  for (const line of lines) {
    const [, off, name, value = ''] = /^(#?)([a-z_]+):(.*)$/.exec(line) ?? []
    if (name !== undefined) {
      if (comment.length > 0 || groups.length === 0) groups.push({ comment, keys: [], example: [] })
      groups.at(-1).keys.push({ name, isOff: off === '#', value: value.trim() })
      comment = []
    } else if (/^# {2}/.test(line)) groups.at(-1).example.push(line.slice(1))
    else if (line.startsWith('# ')) comment.push(line.slice(2))
  }
  return { title: capitalize(title.replace(/ ---$/, '')), groups }
}

function renderGroup({ comment, keys, example }) {
  const [{ name }] = keys
  return [
    `### ${name}`,
    [
      '| key | default | values | variable | flag |',
      '|---|---|---|---|---|',
      ...keys.map(
        key =>
          `| ${key.name === name ? '' : `<a id="${key.name}"></a>`}${code(key.name)} | ${defaultOf(key, comment)} | ${valuesOf(key.name)} | ${variableOf(key.name)} | ${flagOf(key.name)} |`,
      ),
    ].join('\n'),
    ...joinItems(paragraphs(comment).map(wrap)),
    ...(example.length === 0 ? [] : [['```yaml', `${name}:`, ...example, '```'].join('\n')]),
  ]
}

/** Where a line begins with the scheme of a URL an item of a list begins. */
function paragraphs(comment) {
  const parts = []
  for (const line of comment) {
    if (/^[a-z+]+:\/\//.test(line)) parts.push(`* ${line.replace(/^(\S+?)(:?)(?= )/, '`$1`$2')}`)
    else if (parts.length === 0) parts.push(line)
    else parts[parts.length - 1] += ` ${line}`
  }
  return parts.map(part => escapeText(part.replace(defaultSentence, ' ').trim())).filter(part => part !== '')
}

/** Items of a list are one block. */
function joinItems(blocks) {
  const items = blocks.filter(block => block.startsWith('* '))
  return [...blocks.filter(block => !items.includes(block)), ...(items.length === 0 ? [] : [items.join('\n')])]
}

function defaultOf({ isOff, value }, comment) {
  const [, said = 'none'] = defaultSentence.exec(comment.join(' ')) ?? []
  if (said === 'as here' || (isOff && !/^(|""|\[\])$/.test(value))) return code(value)
  return /^\S+$/.test(said) && said !== 'none' ? code(said) : escapeText(said)
}

function valuesOf(key) {
  const field = schema.shape[key]
  const {
    enum: words = z.toJSONSchema(field, { unrepresentable: 'any' }).anyOf?.flatMap(option => option.enum ?? []),
  } = z.toJSONSchema(field, { unrepresentable: 'any' })
  // Many are in the comment.
  if (words?.length > 0) return words.length > 5 ? '' : words.map(code).join(' ')
  const value = field.parse(undefined)
  if (typeof value === 'boolean') return '`true` `false`'
  return Array.isArray(value) ? 'a list' : ''
}

function variableOf(key) {
  const name = nameOf(key)
  const { layers } = readEnvironment({ [name]: 'x' }, '/')
  return layers.some(({ values }) => key in values) ? code(name) : 'in a file only'
}

function flagOf(key) {
  const { options } = addConfigOptions(new Command())
  const option = options.find(({ long }) => long === `--${key.replaceAll('_', '-')}`)
  return option === undefined ? '' : [option.short, option.long].filter(Boolean).map(code).join(' ')
}

/** Text of the comments in Markdown; what is between backticks stays as it is. */
function escapeText(text) {
  return text
    .split(/(`[^`]*`)/)
    .map((part, index) =>
      index % 2 === 1
        ? part
        : part
            .replace(/(?<!^)[*<|]/g, '\\$&')
            .replace(/\bdocs\/([\w-]+\.md)/g, '[$1]($1)')
            .replace(/\bREADME\.md/g, '[README.md](../README.md)'),
    )
    .join('')
}

function wrap(text) {
  const indent = text.startsWith('* ') ? '  ' : ''
  const lines = ['']
  // Code stays on one line.
  for (const word of text.match(/(?:`[^`]*`|[^ ])+/g)) {
    const line = lines.at(-1)
    const joined = line === '' ? word : `${line} ${word}`
    if (joined.length <= maxColumns || line.trim() === '') lines[lines.length - 1] = joined
    else lines.push(`${indent}${word}`)
  }
  return lines.join('\n')
}

function code(text) {
  return `\`${text}\``
}

function capitalize(text) {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
