import { authorizationDetailType } from '../../protocol/grant.ts'

/** Where RFC 9728 puts the metadata of a resource: between its host and its path. */
const wellKnown = '/.well-known/oauth-protected-resource'

/** Path of the metadata of the hub, whose own path is `/.well-known/mercure`. */
export const metadataPath = `${wellKnown}/.well-known/mercure`

/** The address of a resource's metadata (RFC 9728, section 3.1); `undefined` where the resource is no URL. */
export function metadataUrl(resource: string): string | undefined {
  if (!URL.canParse(resource)) return undefined
  const { origin, pathname, search } = new URL(resource)
  return `${origin}${wellKnown}${pathname === '/' ? '' : pathname}${search}`
}

export interface MetadataValues {
  /** What the `aud` of a token for this hub must name. */
  readonly resource: string
  /** The issuers that are OAuth 2.0 authorization servers, where clients can ask for tokens. */
  readonly authorizationServers: readonly string[]
  readonly cookieName: string
  /** The subscription API is on. */
  readonly subscriptions: boolean
}

/** OAuth 2.0 Protected Resource Metadata (RFC 9728) with the members that Mercure 1.0 adds. */
export function protectedResourceMetadata(values: MetadataValues): Record<string, unknown> {
  const { resource, authorizationServers, cookieName, subscriptions } = values
  return {
    resource,
    bearer_methods_supported: ['header'],
    ...(authorizationServers.length > 0 ? { authorization_servers: authorizationServers } : {}),
    authorization_details_types_supported: [authorizationDetailType],
    mercure_cookie: cookieName,
    ...(subscriptions ? { mercure_subscriptions: true } : {}),
    mercure_matcher_types_supported: ['exact', 'urlpattern'],
  }
}
