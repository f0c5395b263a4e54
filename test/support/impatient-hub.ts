import { loadConfig } from '../../src/config/load.ts'
import { createLog } from '../../src/log.ts'
import { serveWorkers } from '../../src/serve-workers.ts'

/** A hub of several processes, configured by mercure.yaml in its directory, that takes a silent worker for one that hangs within seconds. */
const { config } = await loadConfig()
const log = createLog({ format: config.logFormat, debug: config.debug })
const hub = await serveWorkers(config, log, {
  intervalMs: 200,
  patience: { starting: 150, serving: 15, ending: 10 },
})
process.on('SIGTERM', () => hub.close())
