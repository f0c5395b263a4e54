import type { Page } from 'playwright-core'

export interface FetchOptions {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly form?: Record<string, string>
}

export interface PageAnswer {
  readonly status: number
  /** Those that the page may read. */
  readonly headers: Record<string, string>
  /** Empty for an event stream, which is not read. */
  readonly text: string
}

/** A fetch with credentials by a script of the page. `null`: the browser withholds the answer. */
export function fetchIn(page: Page, url: string, options: FetchOptions = {}): Promise<PageAnswer | null> {
  return page.evaluate(
    async ([url, { form, ...init }]) => {
      try {
        const body = form === undefined ? {} : { body: new URLSearchParams(form) }
        const response = await fetch(url, { credentials: 'include', ...init, ...body })
        const { status, headers } = response
        const isStream = headers.get('content-type') === 'text/event-stream'
        if (isStream) await response.body?.cancel()
        return { status, headers: Object.fromEntries(headers), text: isStream ? '' : await response.text() }
      } catch {
        return null
      }
    },
    [url, options] as const,
  )
}
