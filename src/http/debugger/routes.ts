import type { Handler, Hono } from 'hono'
import { HubError } from '../../errors.ts'
import type { Generation } from '../../protocol/generation.ts'
import type { CompileMatcher } from '../../protocol/matcher.ts'
import { hubPath } from '../../protocol/topic.ts'
import type { RequestBounds } from '../bounds.ts'
import type { Environment } from '../context.ts'
import { namesTag } from '../entity-tag.ts'
import type { AllowedOrigins } from '../origin.ts'
import { debugPath } from '../request.ts'
import type { Authenticator } from '../tokens/authenticate.ts'
import { type Asset, readAssets } from './assets.ts'
import { cookieHandler, type TokenCookies } from './cookie.ts'
import { developmentTokenHandler } from './development-token.ts'
import { explainHandler } from './explain.ts'
import { answerJson } from './json.ts'
import { playgroundHandler, playgroundPaths } from './playground.ts'
import { findSigners, mintable, type Signer, type TrustedKeys } from './signers.ts'
import { figuresHandler, forObservers, type StateOptions, stateHandler, subscribersHandler } from './state.ts'

export interface DebuggerOptions extends Omit<StateOptions, 'hub'> {
  /** Everybody may see what the hub is doing, and resources of a tutorial are at hand. */
  readonly demo: boolean
  readonly cookieNames: TokenCookies['names']
  readonly publishAllowedOrigins: AllowedOrigins
  readonly keys: TrustedKeys
}

interface RoutesOptions extends DebuggerOptions, Pick<StateOptions, 'hub'> {
  readonly authenticator: Authenticator
  readonly accepted: readonly Generation[]
  readonly allowAnonymous: boolean
  readonly bounds: RequestBounds
  readonly compileFor: (resource: string) => CompileMatcher
  /** Refuses every other method of a path. */
  readonly only: (path: string, methods: string) => void
}

/** The debugger page, and what it asks for besides the hub itself. Nothing here is for pages of other origins. */
export function addDebugger(app: Hono<Environment>, options: RoutesOptions): void {
  const { hub, authenticator, accepted, demo, figures, only } = options
  const signers = findSigners(options.keys)
  const cookies = { names: options.cookieNames, accepted }
  const get = (path: string, handler: Handler<Environment>) => {
    app.get(path, handler)
    only(path, 'GET, HEAD')
  }
  const post = (path: string, handler: Handler<Environment>) => {
    app.post(path, handler)
    only(path, 'POST')
  }
  /** Relative: the hub does not know what a proxy has put in front of its path. */
  const redirect = (path: string, to: string) =>
    get(path, c => c.body(null, 302, { ...c.get('request').answerHeaders, Location: to }))
  const observed = demo ? (handler: Handler<Environment>) => handler : forObservers

  get(`${debugPath}/config.json`, configHandler(options, signers))
  post(`${debugPath}/token`, developmentTokenHandler(authenticator, signers))
  // Diagnoses tell something of the key: with demo, the hub is for trying out.
  const rules = { ...options, subscriptions: hub.presence !== undefined, diagnose: demo }
  post(`${debugPath}/explain`, explainHandler(rules))
  get(`${debugPath}/hub.json`, observed(stateHandler(options)))
  get(`${debugPath}/metrics`, observed(figuresHandler(figures)))
  if (hub.presence !== undefined) get(`${debugPath}/subscribers.json`, observed(subscribersHandler(hub.presence)))
  post(`${debugPath}/cookie`, demo ? cookieHandler(cookies) : refuseCookie)
  if (demo) {
    for (const path of playgroundPaths) get(path, playgroundHandler(cookies))
    redirect('/', `.${debugPath}/`)
  }
  redirect(debugPath, 'debug/')
  redirect(`${hubPath}/ui`, 'debug/')
  redirect(`${hubPath}/ui/`, '../debug/')
  get(`${debugPath}/*`, assetHandler(readAssets()))
}

const refuseCookie: Handler<Environment> = () => {
  throw new HubError('not_found', 'The cookie is set from here where demo is on; else by the pages of the application.')
}

/** `GET debug/config.json`: what the page should know of the hub before it has a token. */
function configHandler(options: RoutesOptions, signers: readonly Signer[]): Handler<Environment> {
  const { accepted, demo, cookieNames, publishAllowedOrigins, keys, workers, version } = options
  const mint = { '0.x': mintable(signers, '0.x'), '1.0': mintable(signers, '1.0') }
  const tokens = accepted.filter(generation =>
    generation === '1.0' ? keys.issuers.length > 0 : Object.values(keys.legacy ?? {}).some(key => key !== undefined),
  )
  return c => {
    const { origin } = c.get('request')
    return answerJson(c, {
      version,
      generations: accepted,
      tokens,
      demo,
      anonymous: options.allowAnonymous,
      subscriptions: options.hub.presence !== undefined,
      cookieNames,
      hub: `${origin}${hubPath}`,
      canMint: Object.values(mint).some(({ publish, subscribe }) => publish || subscribe),
      mint,
      canPublishByCookie: publishAllowedOrigins.allows(origin),
      workers,
    })
  }
}

/** The page's own files, which a browser asks for again each time, and gets when they have changed. */
function assetHandler(assets: ReadonlyMap<string, Asset>): Handler<Environment> {
  return c => {
    const { path, answerHeaders } = c.get('request')
    const asset = assets.get(path.slice(debugPath.length + 1))
    if (asset === undefined) throw new HubError('not_found', 'The debugger page has no such file.')
    const headers = { ...answerHeaders, ETag: asset.etag, 'Cache-Control': 'no-cache' }
    if (namesTag(c.req.header('If-None-Match'), asset.etag)) return c.body(null, 304, headers)
    return c.body(asset.body, 200, { ...headers, 'Content-Type': asset.type })
  }
}
