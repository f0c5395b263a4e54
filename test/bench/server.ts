import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createLog } from '../../src/log.ts'
import { serve } from '../../src/serve.ts'
import { readSettings } from '../support/hub.ts'

// A server in a process of its own, so that its processor time is its own: `hub`, or `floor`, the least that Node can do for
// the same clients: one write of ready bytes to each socket for each update, with no tokens, no matching, no order to keep.

const usage = () => ({
  cpuMicros: process.cpuUsage().user + process.cpuUsage().system,
  rssBytes: process.memoryUsage().rss,
})

process.on('message', message => {
  if (message === 'usage') {
    globalThis.gc?.()
    process.send!(usage())
  }
})
process.on('disconnect', () => process.exit(0))
process.send!({ port: process.argv[2] === 'hub' ? await startHub() : await startFloor() })

async function startHub(): Promise<number> {
  const log = createLog({ format: 'json', debug: false, destination: { write() {} } })
  // The load shares the machine: a pause of its reader must not end streams.
  const settings = readSettings({ transport_url: 'local://local', dispatch_timeout: '60s' })
  const { url } = await serve(settings, log)
  return Number(new URL(url).port)
}

function startFloor(): Promise<number> {
  const streams = new Set<ServerResponse>()
  const server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
    if (request.method === 'GET') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write(':\n')
      streams.add(response)
      response.on('close', () => streams.delete(response))
      return
    }
    let body = ''
    request.on('data', chunk => {
      body += chunk
    })
    request.on('end', () => {
      const event = Buffer.from(`id: 1\ndata: ${body}\n\n`)
      const chunk = Buffer.concat([Buffer.from(`${event.length.toString(16)}\r\n`), event, Buffer.from('\r\n')])
      for (const { socket } of streams) socket?.write(chunk)
      response.end('1')
    })
  })
  return new Promise(resolve => {
    server.listen(0, '127.0.0.1', 4096, () => resolve((server.address() as AddressInfo).port))
  })
}
