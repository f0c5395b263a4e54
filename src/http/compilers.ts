import { LRUCache } from 'lru-cache'
import { type CompileMatcher, createMatcherCompiler } from '../protocol/matcher.ts'

/** Hub URLs whose compilers are kept: a hub has one or a few, and whoever invents more in a Host header only slows himself. */
const maxResources = 8

/** Matchers are relative to the hub's URL, which may differ by request: one compiler, with its cache, for each. */
export function createCompilers(): (resource: string) => CompileMatcher {
  const compilers = new LRUCache<string, CompileMatcher>({ max: maxResources })
  return resource => {
    let compile = compilers.get(resource)
    if (compile === undefined) {
      compile = createMatcherCompiler({ base: resource })
      compilers.set(resource, compile)
    }
    return compile
  }
}
