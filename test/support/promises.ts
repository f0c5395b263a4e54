import { type TestContext, test } from 'node:test'

/** Tests of a suite that something cannot pass, by their names, and why. */
export interface Skip {
  readonly reason: string
  readonly tests: readonly string[]
}

type Body = (context: TestContext) => Promise<void>

/** Gives `test` for a suite that is called for several things: what one of them cannot do is skipped with its reason. */
export function promisesExcept(skips: readonly Skip[]): (title: string, body: Body) => void {
  return (title, body) => {
    const reason = skips.find(({ tests }) => tests.includes(title))?.reason
    test(title, reason === undefined ? {} : { skip: reason }, body)
  }
}
