/**
 * The two protocol generations in production. `0.x` is draft 07 and before (`topic=`, the `mercure` claim),
 * `1.0` is draft 08 (`match*=`, OAuth 2.0 access tokens). Which one applies is decided request by request.
 */
export type Generation = '0.x' | '1.0'
