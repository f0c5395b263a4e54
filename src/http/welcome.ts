import { readFileSync } from 'node:fs'
import type { Hono } from 'hono'
import type { Environment } from './context.ts'

const files = [
  { path: '/', file: 'index.html', type: 'text/html; charset=utf-8' },
  { path: '/ui/welcome.css', file: 'welcome.css', type: 'text/css; charset=utf-8' },
  { path: '/ui/welcome.js', file: 'welcome.js', type: 'text/javascript; charset=utf-8' },
  { path: '/ui/icon.svg', file: 'icon.svg', type: 'image/svg+xml' },
]

/** A page at `/` that subscribes and publishes: the first look at a hub that was just started. Nothing comes from another host. */
export function addWelcome(app: Hono<Environment>): void {
  for (const { path, file, type } of files) {
    const content = readFileSync(new URL(`../ui/${file}`, import.meta.url), 'utf8')
    app.get(path, c => c.body(content, 200, { ...c.get('request').answerHeaders, 'Content-Type': type }))
  }
}
