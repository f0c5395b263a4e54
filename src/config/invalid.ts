import { HubError } from '../errors.ts'

/** A value that cannot be used, as a sentence without the name of its key: whoever knows the key puts it in front. */
export const invalid = (sentence: string): HubError => new HubError('configuration_invalid', sentence)

/**
 * A value for a message: in quotes, on one line, not too long, a URL without its user and password. Never for secrets, nor where a
 * secret may land by mistake.
 */
export function quote(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value.replace(/\/\/[^/?#]*@/, '//***@')) : String(value)
  return text.length > 60 ? `${text.slice(0, 57)}…"` : text
}
