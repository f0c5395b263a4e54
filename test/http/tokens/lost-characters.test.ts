import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { explainSignature } from '../../../src/http/tokens/lost-characters.ts'
import { readToken } from '../../../src/http/tokens/token.ts'
import { keyPair, sign } from '../../support/keys.ts'

const name = 'publisher_jwt_key (or jwt_key)'
const hub = 'zr$$Lq$HOME/7w!bang 5#hash+plus%41&amp\\back"quoté-and-32-bytes'

const diagnose = async (key: string | Buffer, configured = hub, alg = 'HS256', others: readonly string[] = []) =>
  explainSignature(
    readToken(await sign({ sub: 'ada' }, { key: Buffer.from(key), alg }), '0.x'),
    { name, text: configured },
    others.map((text, index) => ({ name: `other ${index}`, text })),
  )

const lost: readonly [what: string, configured: string, signed: string | Buffer, says: RegExp][] = [
  ['a line break more', hub, `${hub}\n`, /with a line break at its end/],
  ['a line break less', `${hub}\n`, hub, /without the line break at its end/],
  ['white space', ` ${hub}  `, hub, /without the white space around it/],
  ['quotes more', hub, `"${hub}"`, /with quotes around it/],
  ['quotes less', `'${hub}'`, hub, /without the quotes around it/],
  ['a variable of a shell', 'ab$cret-of-32-bytes-at-least-long', 'ab-of-32-bytes-at-least-long', /begins with \$/],
  ['a variable of compose', `ab$\{CRET:-x}-of-32-bytes`, 'ab-of-32-bytes', /begins with \$/],
  ['$$ of compose', 'a$$b-of-32-bytes', 'a$b-of-32-bytes', /each \$\$ as one \$/],
  ['$ doubled', 'a$b-of-32-bytes', 'a$$b-of-32-bytes', /each \$ doubled/],
  ['history of a shell', 'a!secret-of-bytes', 'a-of-bytes', /begins with !/],
  ['backslashes more', '!Change me!', '\\!Change me\\!', /with backslashes/],
  ['backslashes less', 'a\\$b', 'a$b', /without its backslashes/],
  ['a comment of an environment file', 'abc #def', 'abc', /cut off before its first (#|space)/],
  ['a job of a shell', 'abc&def', 'abc', /cut off before its first &/],
  ['percent-decoding', 'a%24b', 'a$b', /percent-decoded/],
  ['percent-encoding', 'a$b/c', 'a%24b%2Fc', /percent-encoded/],
  ['HTML', 'a&b', 'a&amp;b', /escaped as in HTML/],
  ['base64 decoded', Buffer.from('thirty-two bytes').toString('base64'), 'thirty-two bytes', /decoded from base64/],
  ['base64 encoded', hub, Buffer.from(hub).toString('base64'), /encoded in base64\./],
  ['hexadecimal', '00ff00ff', Buffer.from('00ff00ff', 'hex'), /decoded from hexadecimal/],
  ['line breaks written out', 'a\\nb', 'a\nb', /line breaks in the place of \\n/],
  ['Latin-1', 'quoté', Buffer.from('quoté', 'latin1'), /Latin-1/],
  ['Unicode', 'quoté', 'quote\u0301', /normal form/],
  ['a JWK as text', '{"kty":"oct","k":"c2VjcmV0"}', '{"kty":"oct","k":"c2VjcmV0"}', /text of the JWK/],
  ['the k of a JWK', '{"kty":"oct","k":"c2VjcmV0"}', 'c2VjcmV0', /text of its k/],
  ['an empty key', hub, '', /an empty key/],
  ['the key of the documentation', hub, '!ChangeThisMercureHubJWTSecretKey!', /well-known key/],
]

describe('a signature that does not fit is explained', () => {
  for (const [what, configured, signed, says] of lost) {
    test(what, async t => {
      // An empty key signs nothing in jose.
      if (signed.length === 0) return t.assert.match(explainEmpty(configured) ?? '', says)
      const diagnosis = (await diagnose(signed, configured)) ?? ''
      assert.match(diagnosis, says)
      assert.ok(!diagnosis.includes(configured) && !diagnosis.includes(`${signed}`), 'no key is shown')
    })
  }

  test('by the key of another role, and by the same key with another algorithm', async () => {
    assert.match((await diagnose('another', hub, 'HS256', ['x', 'another'])) ?? '', /key of other 1: use/)
    assert.match((await diagnose(hub, hub, 'HS512')) ?? '', /fits: only the algorithm/)
  })

  test('not at all, where it is simply another key', async () => {
    const keys = fc.string({ minLength: 1, maxLength: 80, unit: 'binary' })
    await fc.assert(
      fc.asyncProperty(keys, keys, async (configured, signed) => {
        if (signed.includes(configured) || configured.includes(signed)) return
        const diagnosis = await diagnose(`other ${signed} key`, configured)
        assert.equal(diagnosis, undefined)
      }),
      { numRuns: 200 },
    )
  })

  test('whatever its algorithm and its signature are', async () => {
    const text = await sign({}, { key: Buffer.from('k') })
    const [, claims = '', signature = ''] = text.split('.')
    for (const header of [{}, { alg: 'none' }, { alg: 'RS256' }, { alg: 5 }]) {
      const token = `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${claims}.${signature}`
      assert.equal(explainSignature(readToken(token, '0.x'), { name, text: hub }, []), undefined)
    }
  })
})

describe('the length of a signature tells what became of its token', () => {
  for (const alg of ['HS256', 'HS384', 'HS512', 'ES256', 'ES384', 'ES512', 'EdDSA']) {
    test(alg, async () => {
      const key = alg.startsWith('HS') ? Buffer.from(hub.repeat(2)) : keyPair(alg).privateKey
      const text = await sign({ sub: 'ada' }, { key, alg })
      const explain = (token: string) => explainSignature(readToken(token, '0.x'), { name, text: 'another' }, [])
      assert.equal(explain(text), undefined)
      const length = text.length - text.lastIndexOf('.') - 1
      for (const lost of [1, 3, length]) {
        const said = `Its signature has ${length - lost} characters, and one of ${alg} has ${length}: its end was cut off on the way.`
        assert.equal(explain(text.slice(0, -lost)), `${said} Send the token as it was issued.`)
      }
      assert.match(explain(`${text}AA`) ?? '', /something was added to it on the way/)
    })
  }
})

function explainEmpty(configured: string): string | undefined {
  const head = [{ alg: 'HS256' }, {}].map(part => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const signature = createHmac('sha256', '').update(head).digest('base64url')
  return explainSignature(readToken(`${head}.${signature}`, '0.x'), { name, text: configured }, [])
}
