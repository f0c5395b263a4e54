import { type Handler, Hono } from 'hono'
import type { Hub } from '../hub/hub.ts'
import type { Environment } from './context.ts'
import { livenessHandler, readinessHandler } from './health.ts'

/** Figures in the text format of Prometheus. */
export interface Figures {
  readonly contentType: string
  render(): Promise<string>
}

/** `GET /metrics`. */
export function metricsHandler(figures: Figures): Handler<Environment> {
  return async c => c.body(await figures.render(), 200, { 'Content-Type': figures.contentType })
}

/** The address of its own for what operators read: figures and health, away from the clients' traffic. */
export function createMetricsApp({ hub, metrics }: { hub: Hub; metrics: Figures }): Hono<Environment> {
  const app = new Hono<Environment>()
  app.get('/metrics', metricsHandler(metrics))
  app.get('/healthz', livenessHandler())
  app.get('/readyz', readinessHandler(hub))
  return app
}
