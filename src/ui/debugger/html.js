import htm from './vendor/htm.js'
import { h } from './vendor/preact.js'

/** Elements from tagged templates: what JSX is with a build step. */
export const html = htm.bind(h)
