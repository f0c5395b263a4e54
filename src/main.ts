#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { constants } from 'node:os'

// Flags may hold keys, and every user of the machine may read the arguments of its processes.
process.title = 'talaria'

// The first process of a container is not ended by a signal that nobody listens for.
if (process.pid === 1) {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal])
    })
  }
}

// What is compiled is kept for the next start, which then takes half the time. Static imports are compiled before this line.
enableCompileCache()
const { run } = await import('./cli/program.ts')
await run()
