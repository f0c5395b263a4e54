/** Why a file could not be read, for a sentence; not its name, which may be a secret that was given to the wrong option. */
export const describeReadFailure = (error: unknown): string =>
  reasons[(error as NodeJS.ErrnoException).code ?? ''] ?? 'an error while reading'

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'no permission',
  EISDIR: 'it is a directory',
}
