import type { Archive } from '../../src/archive.ts'
import { HubError } from '../../src/errors.ts'
import { Failure } from './failure.ts'
import { type Backend, misconfigured, unusable } from './refusals.ts'

/** Opens an archive whose failures are sentences for who looks at the log. */
export async function openExplained(backend: Backend, open: () => Promise<Archive>): Promise<Archive> {
  const explain = (error: unknown): HubError => {
    if (error instanceof HubError) return error
    const { meaning, message } = Failure.of(error)
    return meaning === 'misconfigured' ? misconfigured(backend, message) : unusable(backend, message)
  }
  const archive = await open().catch(error => {
    throw explain(error)
  })
  const append = archive.append?.bind(archive)
  return {
    ...(archive.size === undefined ? {} : { size: archive.size }),
    async *read() {
      try {
        yield* archive.read()
      } catch (error) {
        throw explain(error)
      }
    },
    ...(append === undefined ? {} : { append: updates => append(updates).catch(error => rejectAppend(error)) }),
    close: () => archive.close(),
  }

  function rejectAppend(error: unknown): never {
    if (Failure.of(error).meaning !== 'broken') throw explain(error)
    const { message } = explain(error)
    throw new HubError(
      'transport_unavailable',
      `${message} What was sent last may be stored all the same: look at the end of the log before you go on.`,
      { cause: error },
    )
  }
}
