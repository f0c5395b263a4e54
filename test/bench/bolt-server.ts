import { createLog } from '../../src/log.ts'
import { serve } from '../../src/serve.ts'
import { readSettings } from '../support/hub.ts'

// A hub on a bolt:// log, in a process of its own as a hub runs. The argument is the log's URL.

const log = createLog({ format: 'json', debug: false, destination: { write() {} } })
const hub = await serve(readSettings({ transport_url: process.argv[2], dispatch_timeout: '60s' }), log)
process.on('disconnect', () => {
  hub.close().catch(error => {
    throw error
  })
})
process.send?.({ port: Number(new URL(hub.url).port) })
