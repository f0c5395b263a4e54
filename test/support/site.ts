import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Certificate } from './certificate.ts'

/** A web application's site: its pages are of another origin than the hub. */
export interface Site extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, or with `https` */
  readonly origin: string
}

export interface SiteOptions {
  /** Served over TLS with this certificate. */
  readonly certificate?: Certificate
  /** `Set-Cookie` of its pages. */
  readonly cookies?: string[]
}

const library = new URL('../../node_modules/@microsoft/fetch-event-source/lib/esm/', import.meta.url)

/** Serves a blank page at `/`, and the browser's build of fetch-event-source under `/fetch-event-source/`. */
export async function startSite({ certificate, cookies = [] }: SiteOptions = {}): Promise<Site> {
  const listener: RequestListener = async ({ url = '/' }, response) => {
    const [, module] = /^\/fetch-event-source\/([a-z]+)$/.exec(url) ?? []
    if (module !== undefined) {
      response
        .writeHead(200, { 'Content-Type': 'text/javascript' })
        .end(await readFile(new URL(`${module}.js`, library)))
    } else {
      response
        .writeHead(200, { 'Content-Type': 'text/html', 'Set-Cookie': cookies })
        .end('<!doctype html><title>Site</title>')
    }
  }
  const server = certificate === undefined ? createHttpServer(listener) : createHttpsServer(certificate, listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `${certificate === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
