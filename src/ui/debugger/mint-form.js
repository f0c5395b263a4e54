import { debugUrl } from './address.js'
import { Choice, Field, Notice, Refusal } from './controls.js'
import { readLines } from './format.js'
import { html } from './html.js'
import { setToken } from './identity.js'
import { postJson } from './request.js'
import { useState } from './vendor/preact-hooks.js'

const defaultTtlSeconds = 3600

/** The generations in which this hub's development key signs something. */
export const mintable = config =>
  ['0.x', '1.0'].filter(generation => config.mint[generation]?.publish || config.mint[generation]?.subscribe)

/** A token for everything, as far as the hub signs it. @returns its answer: `json.token`, or `refusal` */
export function mintForEverything(config, generation) {
  const { publish, subscribe } = config.mint[generation]
  return mint({
    generation,
    publish: publish ? ['*'] : [],
    subscribe: subscribe ? ['*'] : [],
    ttlSeconds: defaultTtlSeconds,
  })
}

const mint = wanted => postJson(debugUrl('token'), wanted, { credentials: 'omit' })

/** Signs development tokens: offered where the hub runs with the key that everybody knows. */
export function MintForm({ config }) {
  const generations = mintable(config)
  const [wanted, setWanted] = useState({
    generation: generations[0],
    publish: '*',
    subscribe: '*',
    payload: '',
    ttl: String(defaultTtlSeconds),
  })
  const [problem, setProblem] = useState()
  const set = name => value => setWanted({ ...wanted, [name]: value })
  const submit = async event => {
    event.preventDefault()
    const payload = readPayload(wanted.payload)
    if (payload.problem !== undefined) return setProblem({ status: 0, code: '', message: payload.problem })
    const { generation, publish, subscribe, ttl } = wanted
    const lists = { publish: readLines(publish), subscribe: readLines(subscribe) }
    const answer = await mint({ generation, ...lists, ...payload, ttlSeconds: Number(ttl) })
    setProblem(answer.refusal)
    if (!answer.ok) return
    setToken(answer.json.token)
  }
  return html`<h2 id="mint-title">Mint a development token</h2>
    <form class="card stack" aria-labelledby="mint-title" onSubmit=${submit}>
      <p class="hint">This hub runs with the key that everybody knows, so anybody may sign tokens for it: never so in production.</p>
      <div class="columns">
        <${Choice} label="Generation" value=${wanted.generation} onChange=${set('generation')} options=${generations.map(name => [name, name])} />
        <${Field} label="Valid for, seconds" value=${wanted.ttl} onInput=${set('ttl')} inputmode="numeric" />
      </div>
      <div class="columns">
        <${Field} label="May publish" rows="2" value=${wanted.publish} onInput=${set('publish')} hint="One topic a line, * for all." />
        <${Field} label="May subscribe" rows="2" value=${wanted.subscribe} onInput=${set('subscribe')} hint="Private updates of these topics." />
      </div>
      <${Field} label="Payload" value=${wanted.payload} onInput=${set('payload')} placeholder=${'JSON, shown with its subscriptions: {"user": "ada"}'} />
      <div class="row"><span class="grow" /><button type="submit" class="primary">Mint and use</button></div>
      ${problem !== undefined && (problem.status === 0 ? html`<${Notice} tone="bad">${problem.message}<//>` : html`<${Refusal} refusal=${problem} />`)}
    </form>`
}

function readPayload(text) {
  if (text.trim() === '') return {}
  try {
    return { payload: JSON.parse(text) }
  } catch {
    return { problem: 'The payload is not JSON: a text needs quotes around it.' }
  }
}
