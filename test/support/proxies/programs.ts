import { execFile, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { missing } from '../services/missing.ts'
import { type ProxyProgram, put } from './reverse-proxy.ts'

const run = promisify(execFile)

const missingProgram = (program: string, ...args: string[]): string | false =>
  spawnSync(program, args, { stdio: 'ignore' }).status !== 0 && missing(`this machine has no ${program}`)

/** Workers of somebody else's could not write to the directory, which is its maker's alone. */
const isRoot = process.getuid?.() === 0

export const nginx: ProxyProgram = {
  name: 'nginx',
  language: 'nginx',
  missing: missingProgram('nginx', '-v'),
  configure(snippet, { port, hub, certificate, directory }) {
    const http = put(snippet, {
      '127.0.0.1:3000': hub,
      'listen 443 ': `listen 127.0.0.1:${port} `,
      '/etc/ssl/hub.example.pem': certificate.certFile,
      '/etc/ssl/hub.example.key': certificate.keyFile,
    })
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      name => `${name}_temp_path ${directory}/${name};`,
    )
    return `${isRoot ? 'user root;' : ''}
      daemon off; worker_processes 2; pid ${directory}/pid; error_log stderr notice; events {}
      http { access_log off; ${temporary.join(' ')}\n${http} }`
  },
  command: (file, { directory }) => ['nginx', '-p', directory, '-c', file, '-e', 'stderr'],
  reload: proxy => proxy.signal('SIGHUP', /start worker process .*gracefully shutting down/s),
}

export const haproxy: ProxyProgram = {
  name: 'haproxy',
  language: 'haproxy',
  missing: missingProgram('haproxy', '-v'),
  configure(snippet, { port, hub, certificate, directory }) {
    const file = join(directory, 'both.pem')
    writeFileSync(file, certificate.cert + certificate.key, { mode: 0o600 })
    return put(snippet, {
      '127.0.0.1:3000': hub,
      'bind :443 ': `bind 127.0.0.1:${port} `,
      '/etc/haproxy/hub.example.pem': file,
    })
  },
  command: file => ['haproxy', '-W', '-db', '-f', file],
  reload: proxy => proxy.signal('SIGUSR2', /Reloading HAProxy.*Loading success/s),
}

export const caddy: ProxyProgram = {
  name: 'caddy',
  language: 'caddyfile',
  missing: missingProgram('caddy', 'version'),
  configure(snippet, { port, hub, certificate, directory }) {
    const site = put(snippet, {
      '127.0.0.1:3000': hub,
      'hub.example {': `https://127.0.0.1:${port} {\n    tls ${certificate.certFile} ${certificate.keyFile}`,
    })
    return `{\n    admin unix/${directory}/admin\n    auto_https disable_redirects\n}\n${site}`
  },
  command: file => ['caddy', 'run', '--adapter', 'caddyfile', '--config', file],
  async reload({ file }) {
    const address = `unix/${join(file, '..', 'admin')}`
    await run('caddy', ['reload', '--force', '--address', address, '--adapter', 'caddyfile', '--config', file])
  },
}

/** Those whose snippets are run. */
export const proxyPrograms: readonly ProxyProgram[] = [nginx, haproxy, caddy]
