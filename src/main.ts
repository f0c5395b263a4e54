#!/usr/bin/env node
import module from 'node:module'
import { constants } from 'node:os'

// What an older Node does not have, an import by name would end in a SyntaxError that tells nobody what to do: here, nothing newer than it is imported.
const [major = 0] = process.versions.node.split('.').map(Number)
if (major < 24) {
  process.stderr.write(`Talaria needs Node 24 or newer; this is ${process.version}.\n`)
  process.exit(1)
}

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
module.enableCompileCache()
const { run } = await import('./cli/program.ts')
await run()
