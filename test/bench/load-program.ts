import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as after } from 'node:timers/promises'
import { readMarks } from './marks.ts'

// The load where there is no C compiler, with the commands and answers of native/load.c, where they are described. It takes more of
// the machine: rates are lower, and processor time of the server includes fewer updates per write.

const port = Number(process.argv[2])
const publishPort = Number(process.argv[3] ?? port)
const atOnce = 100
const streams = new Set<Socket>()
/** What a mark that has arrived is told to. */
let arrived: (sentAt: number) => void = () => {}
let ended = 0

async function openStream(path: string, index: number): Promise<Socket> {
  const token = process.env.SUBSCRIBER_TOKEN
  const socket = connect(port, '127.0.0.1').setNoDelay()
  socket.on('error', () => {})
  const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`
  socket.write(`GET ${path.replace('#', `${index}`)} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${authorization}\r\n`)
  const [head] = (await once(socket, 'data')) as [Buffer]
  if (!head.includes(' 200 ')) throw new Error(`a stream was refused: ${head}`)
  return socket
}

/** Opens streams, and says how many a second. */
async function openStreams(count: number, path: string, opened: (socket: Socket) => void): Promise<object> {
  const started = performance.now()
  let next = 0
  const open = async () => {
    while (next < count) opened(await openStream(path, next++))
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, open))
  return { perSecond: (count / (performance.now() - started)) * 1000 }
}

function read(socket: Socket): void {
  streams.add(socket)
  const marks = readMarks(mark => arrived(Number(mark)))
  socket.on('data', marks).on('close', () => {
    if (streams.delete(socket)) ended++
  })
}

async function publishAll(
  [count = 0, publishers = 0, bytes = 0, perUpdate = 0, topics = 1, rate = 0]: number[],
  topic: string,
): Promise<object> {
  const latencies: number[] = []
  const answers: number[] = []
  let refused = 0
  ended = 0
  const { promise: delivered, resolve } = Promise.withResolvers<void>()
  arrived = sentAt => {
    latencies.push(performance.now() - sentAt)
    if (latencies.length === count * perUpdate) resolve()
  }
  let sent = 0
  const publish = async () => {
    const socket = connect(publishPort, '127.0.0.1').setNoDelay()
    while (sent < count) {
      const index = sent++
      const sentAt = rate > 0 ? started + (index * 1000) / rate : performance.now()
      // Timers count from when the event loop began its turn, and so may be early by a part of a millisecond.
      while (sentAt > performance.now()) await after(Math.ceil(sentAt - performance.now()))
      const body = `topic=${topic.replace('#', `${index % topics}`)}&data=~${sentAt}~`.padEnd(bytes, 'x')
      socket.write(
        `POST /.well-known/mercure HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${process.env.PUBLISHER_TOKEN}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      )
      const [answer] = (await once(socket, 'data')) as [Buffer]
      if (!answer.includes(' 200 ')) refused++
      answers.push(performance.now() - sentAt)
    }
    socket.destroy()
  }
  const started = performance.now()
  await Promise.all(Array.from({ length: publishers }, publish))
  const published = performance.now()
  // Nothing for half a minute, and no more is coming.
  for (let seen = -1; perUpdate > 0 && latencies.length < count * perUpdate && seen !== latencies.length; ) {
    seen = latencies.length
    await Promise.race([delivered, new Promise(passed => setTimeout(passed, 30_000).unref())])
  }
  return {
    deliveries: latencies.length,
    expected: count * perUpdate,
    answered: answers.length,
    refused,
    ended,
    seconds: (performance.now() - started) / 1000,
    publishSeconds: (published - started) / 1000,
    latencyMs: quantiles(latencies),
    publishMs: quantiles(answers),
  }
}

function quantiles(values: number[]): object {
  values.sort((a, b) => a - b)
  const at = (quantile: number) => values[Math.floor((values.length - 1) * quantile)] ?? 0
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}

function closeStreams(): object {
  for (const socket of streams) {
    streams.delete(socket)
    socket.resetAndDestroy()
  }
  return {}
}

async function run(line: string): Promise<object> {
  const [command, ...words] = line.split(' ')
  const [count = 0, ...numbers] = words.slice(0, -1).map(Number)
  const text = words.at(-1) ?? ''
  if (command === 'connect') return await openStreams(count, text, read)
  if (command === 'stall') return await openStreams(count, text, socket => streams.add(socket.pause()))
  if (command === 'churn') return await openStreams(count, text, socket => socket.resetAndDestroy())
  if (command === 'publish') return await publishAll([count, ...numbers], text)
  return closeStreams()
}

for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(await run(line)))
process.exit(0)
