/** The reason why tests of a backend are skipped; an error where none may be. */
export function missing(reason: string): string {
  if (process.env.TALARIA_TEST_SERVICES === 'required') throw new Error(reason)
  return reason
}
