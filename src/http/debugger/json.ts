import type { Context } from 'hono'
import type { Environment } from '../context.ts'

/** An answer that is of this moment. */
export const answerJson = (c: Context<Environment>, document: object): Response =>
  c.body(JSON.stringify(document), 200, {
    ...c.get('request').answerHeaders,
    'Content-Type': 'application/json',
    'Cache-Control': 'no-store',
  })
