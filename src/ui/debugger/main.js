import { App } from './app.js'
import { keepFocus } from './focus.js'
import { html } from './html.js'
import { render } from './vendor/preact.js'

const root = document.getElementById('app')
root.replaceChildren()
render(html`<${App} />`, root)
keepFocus(root)
