#!/usr/bin/env node
import { enableCompileCache } from 'node:module'

// Flags may hold keys, and every user of the machine may read the arguments of its processes.
process.title = 'talaria'

// What is compiled is kept for the next start, which then takes half the time. Static imports are compiled before this line.
enableCompileCache()
const { run } = await import('./cli/program.ts')
await run()
