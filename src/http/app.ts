import { type Handler, Hono } from 'hono'
import { HubError } from '../errors.ts'
import { subscriptionsPath } from '../protocol/subscription.ts'
import { hubPath } from '../protocol/topic.ts'
import type { Follower } from '../tracing.ts'
import { type Environment, prepareRequest, refuseOtherOrigins } from './context.ts'
import { preflightHeaders } from './cors.ts'
import { addDebugger, type DebuggerOptions } from './debugger/routes.ts'
import { addOperatorRoutes, type OperatorOptions } from './metrics.ts'
import type { AllowedOrigins } from './origin.ts'
import { answerProblem, type RefusalObserver } from './problem.ts'
import { publishHandler } from './publish.ts'
import { type RequestOptions, splitTarget } from './request.ts'
import { type SubscribeOptions, subscribeHandler } from './subscribe.ts'
import { subscriptionsHandler } from './subscriptions.ts'
import { type MetadataValues, metadataPath, protectedResourceMetadata } from './tokens/metadata.ts'
import { traceRequests } from './traces.ts'

export interface AppOptions extends RequestOptions, SubscribeOptions, RefusalObserver, OperatorOptions {
  /** Protected resource metadata; `undefined`: no token can be verified, and there is nothing to tell. */
  readonly metadata: Omit<MetadataValues, 'resource'> | undefined
  /** `undefined`: nothing is traced. */
  readonly tracing: Follower | undefined
  /** `undefined`: there is no debugger page. */
  readonly debugger: DebuggerOptions | undefined
}

/** The hub's routes. Handlers answer, or throw a HubError, which is answered in one place. */
export function createApp(options: AppOptions): Hono<Environment> {
  const { hub, authenticator, corsAllowedOrigins, publicUrls } = options
  const app = new Hono<Environment>({ getPath: (_request, options) => splitTarget(options?.env?.incoming.url).path })
  app.onError((error, c) => answerProblem(error, c, options))
  app.notFound(c => answerProblem(new HubError('not_found', 'There is nothing at this path.'), c, options))
  app.use(prepareRequest(options))
  if (options.tracing !== undefined) app.use(traceRequests(options.tracing))

  const preflight = (allowed: AllowedOrigins): Handler<Environment> => {
    return c =>
      c.body(null, 204, { ...c.get('request').answerHeaders, ...preflightHeaders(c.req.header('Origin'), allowed) })
  }
  const refuseOthers = (path: string, methods: string) => {
    app.all(path, c => {
      const answer = answerProblem(new HubError('method_not_allowed', `This path knows ${methods}.`), c, options)
      answer.headers.set('Allow', methods)
      return answer
    })
  }
  const only = (path: string, methods: string) => {
    if (corsAllowedOrigins !== undefined) app.options(path, preflight(corsAllowedOrigins))
    refuseOthers(path, methods)
  }

  // Before the check of the origin: probes address a node by whatever name it has.
  for (const path of addOperatorRoutes(app, options)) only(path, 'GET, HEAD')
  if (publicUrls.length > 0) app.use(refuseOtherOrigins(publicUrls))

  app.post(hubPath, publishHandler(options))
  app.on(['GET', 'QUERY'], hubPath, subscribeHandler(options))
  only(hubPath, 'GET, HEAD, QUERY, POST')

  if (hub.presence !== undefined) {
    const needsToken = authenticator.verifies('subscriber')
    const subscriptions = subscriptionsHandler({ ...options, presence: hub.presence, needsToken })
    app.get(`${subscriptionsPath}/*`, subscriptions)
    only(`${subscriptionsPath}/*`, 'GET, HEAD')
  }
  if (options.metadata !== undefined) {
    const { metadata } = options
    app.get(metadataPath, c => {
      const document = protectedResourceMetadata({ ...metadata, resource: authenticator.resourceOf(c.get('request')) })
      return c.body(`${JSON.stringify(document)}\n`, 200, {
        ...c.get('request').answerHeaders,
        'Content-Type': 'application/json',
      })
    })
    only(metadataPath, 'GET, HEAD')
  }

  if (options.debugger !== undefined) addDebugger(app, { ...options, ...options.debugger, only: refuseOthers })
  return app
}
