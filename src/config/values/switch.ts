import { invalid, quote } from '../invalid.ts'

const words: Readonly<Record<string, boolean>> = Object.fromEntries([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map(word => [word, true]),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map(word => [word, false]),
])

/**
 * Reads on or off from the words of Go's ParseBool, which environment variables of the 0.x hub use.
 * @throws HubError `configuration_invalid`
 */
export function parseSwitch(text: string): boolean {
  const value = Object.hasOwn(words, text) ? words[text] : undefined
  if (value === undefined) throw invalid(`${quote(text)} is neither true nor false; write true or false.`)
  return value
}
