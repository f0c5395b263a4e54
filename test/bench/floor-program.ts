import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'

// The floor where there is no C compiler, by the rules of native/floor.c: the least that Node can do for the same clients, one write of
// ready bytes to each socket for each update, with no tokens, no matching, no order to keep.

const streams = new Set<ServerResponse>()
const server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
  if (request.method === 'GET') {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write(':\n\n')
    streams.add(response)
    response.on('close', () => streams.delete(response))
    return
  }
  let body = ''
  request.on('data', chunk => {
    body += chunk
  })
  request.on('end', () => {
    const event = `id: urn:uuid:01234567-0123-0123-0123-012345678901\ndata: ${body.slice(body.indexOf('data=') + 5)}\n\n`
    const chunk = Buffer.from(`${event.length.toString(16)}\r\n${event}\r\n`)
    for (const { socket } of streams) socket?.write(chunk)
    response.end('ok')
  })
})
const answer = (message: unknown) => process.stdout.write(`${JSON.stringify(message)}\n`)
server.listen(0, '127.0.0.1', 4096, () => answer({ port: (server.address() as AddressInfo).port }))

for await (const _ of createInterface({ input: process.stdin })) {
  const { user, system } = process.cpuUsage()
  answer({ cpuMicros: user + system })
}
process.exit(0)
