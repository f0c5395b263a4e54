import { setImmediate as nextTurn } from 'node:timers/promises'
import { writeExport } from '../../src/cli/export-file.ts'

/** Exports to the file that its argument names, without end, and says when it has begun. */
async function* endless(): AsyncGenerator<string> {
  yield 'the first line\n'
  process.stdout.write('begun\n')
  for (;;) {
    await nextTurn()
    yield ''
  }
}

await writeExport(process.argv[2]!, endless(), process.stderr)
