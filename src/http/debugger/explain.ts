import type { Handler } from 'hono'
import * as z from 'zod'
import type { Environment } from '../context.ts'
import { readJson } from '../json-body.ts'
import { actions } from '../question.ts'
import { type JudgeOptions, judge } from '../verdict.ts'
import { answerJson } from './json.ts'

/** More than any request may have. */
const maxMatchers = 1000

const shape = z.strictObject({
  token: z.string().default(''),
  action: z.enum(actions),
  topics: z.array(z.string()).max(maxMatchers).default([]),
  matchers: z
    .array(z.strictObject({ kind: z.enum(['topic', 'exact', 'urlpattern']), pattern: z.string() }))
    .max(maxMatchers)
    .optional(),
})

/** `POST debug/explain`: what this hub answers to a token, and why. It tells what the refusals tell, which anybody may provoke. */
export function explainHandler(options: JudgeOptions): Handler<Environment> {
  return async c => {
    const { token, ...asked } = await readJson(c, shape)
    const { origin } = c.get('request')
    return answerJson(c, await judge({ ...asked, token: token.trim(), origin }, options))
  }
}
