import { type Env, type Handler, Hono } from 'hono'
import type { Hub } from '../hub/hub.ts'
import type { Environment } from './context.ts'
import { livenessHandler, readinessHandler } from './health.ts'
import type { RefusalObserver } from './problem.ts'
import { securityHeaders, textHeaders } from './request.ts'

/** Figures in the text format of Prometheus. */
export interface Figures {
  readonly contentType: string
  render(): Promise<string>
}

export interface OperatorOptions {
  readonly hub: Hub
  /** `undefined`: they are served elsewhere, or nowhere. */
  readonly metrics: Figures | undefined
  readonly log: RefusalObserver['log']
}

/** What operators read. Gives the paths. */
export function addOperatorRoutes<E extends Env>(app: Hono<E>, { hub, metrics, log }: OperatorOptions): string[] {
  app.get('/healthz', livenessHandler())
  app.get('/readyz', readinessHandler(hub, log))
  if (metrics === undefined) return ['/healthz', '/readyz']
  app.get('/metrics', metricsHandler(metrics))
  return ['/healthz', '/readyz', '/metrics']
}

/** `GET /metrics`. */
function metricsHandler(figures: Figures): Handler {
  return async c => c.body(await figures.render(), 200, { ...securityHeaders, 'Content-Type': figures.contentType })
}

/** The address of its own for what operators read, away from the clients' traffic. */
export function createMetricsApp(options: OperatorOptions): Hono<Environment> {
  const app = new Hono<Environment>()
  addOperatorRoutes(app, options)
  app.notFound(c => c.body('not_found: There is nothing at this path.\n', 404, textHeaders))
  app.onError((error, c) => {
    options.log.error({ err: error, method: c.req.method, path: c.req.path }, 'request failed')
    return c.body('internal: Internal Server Error\n', 500, textHeaders)
  })
  return app
}
