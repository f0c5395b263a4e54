import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { problemsOf } from '../support/configuration.ts'
import { keyPair, spki } from '../support/keys.ts'

/** A PEM text as a value of YAML. */
const pem = JSON.stringify(spki(keyPair('ES256').publicKey))
const jwks = 'https://issuer.example/jwks.json'
const base = 'jwt_key: hidden-secret\n'
const issuer = (rest: string) => `${base}issuers:\n  - id: https://a.example\n${rest}`

/** One problem each, in full but for what a regular expression leaves open. `hidden` stands for secrets. */
const refused: readonly [what: string, yaml: string, problem: RegExp][] = [
  // values
  [
    'unknown key',
    `${base}heartbeat_intervall: 15s`,
    /^heartbeat_intervall \(mercure\.yaml:2\): there is no such key\. Did you mean "heartbeat_interval"\?$/,
  ],
  ['key like none', `${base}zebra: 1`, /^zebra \(mercure\.yaml:2\): there is no such key\.$/],
  [
    'unknown nested key',
    `${base}recent:\n  entrys: 1`,
    /^recent\.entrys \(mercure\.yaml:3\): there is no such key\. Did you mean "entries"\?$/,
  ],
  [
    'retired key',
    `${base}acme_hosts: [a.example]`,
    /^acme_hosts \(mercure\.yaml:2\): certificates are not fetched by this hub: use cert_file and key_file/,
  ],
  [
    'renamed key',
    `${base}dispatch_subscriptions: true`,
    /^dispatch_subscriptions \(mercure\.yaml:2\): it is called subscriptions now\.$/,
  ],
  [
    'name of a directive',
    `${base}anonymous: true`,
    /^anonymous \(mercure\.yaml:2\): it is called allow_anonymous here\.$/,
  ],
  [
    'key given twice',
    `${base}debug: true\ndebug: false`,
    /^debug \(mercure\.yaml:3\): the key is given a second time\.$/,
  ],
  ['number as text', 'jwt_key: 12345', /^jwt_key \(mercure\.yaml:1\): must be text: put it in quotes\.$/],
  ['list as text', `${base}cookie_name: [a]`, /^cookie_name \(mercure\.yaml:2\): must be text: put it in quotes\.$/],
  ['list as a single value', `${base}debug: [true]`, /^debug \(mercure\.yaml:2\): must be a single value\.$/],
  ['mapping as list', `${base}public_urls: {a: 1}`, /^public_urls \(mercure\.yaml:2\): must be a list\.$/],
  [
    'text as mapping',
    `${base}recent: many`,
    /^recent \(mercure\.yaml:2\): must be a mapping \(lines of "key: value"\)\.$/,
  ],
  ['text as issuer', `${base}issuers: [https://a.example]`, /^issuers\[0\] \(mercure\.yaml:2\): must be a mapping/],
  [
    'text as number',
    `${base}recent: {entries: many}`,
    /^recent\.entries \(mercure\.yaml:2\): must be a whole number\.$/,
  ],
  ['fraction', `${base}recent: {entries: 1.5}`, /^recent\.entries \(mercure\.yaml:2\): must be a whole number\.$/],
  ['negative count', `${base}recent: {entries: -1}`, /^recent\.entries \(mercure\.yaml:2\): must be at least 0\.$/],
  [
    'duration without unit',
    `${base}heartbeat_interval: 15`,
    /^heartbeat_interval \(mercure\.yaml:2\): "15" has no unit\. Did you mean 15s\?$/,
  ],
  [
    'duration beyond timers',
    `${base}write_timeout: 600h`,
    /^write_timeout \(mercure\.yaml:2\): "600h" is too long; the longest is 576h\.$/,
  ],
  ['size', `${base}max_request_body_size: 1XB`, /^max_request_body_size \(mercure\.yaml:2\): "1XB" is not a size/],
  [
    'queue without room',
    `${base}max_queue_bytes: 0`,
    /^max_queue_bytes \(mercure\.yaml:2\): 0 bytes are too few; the least is 1024\.$/,
  ],
  [
    'word for a boolean',
    `${base}debug: yes`,
    /^debug \(mercure\.yaml:2\): "yes" is neither true nor false; write true or false\.$/,
  ],
  ['address', `${base}addr: 3000`, /^addr \(mercure\.yaml:2\): 3000 is only a port\. Did you mean ":3000"/],
  ['secret of digits', 'jwt_key: 0123', /^jwt_key \(mercure\.yaml:1\): must be text: put it in quotes\.$/],
  ['key of every object', `${base}__proto__: {demo: true}`, /^__proto__ \(mercure\.yaml:2\): there is no such key\.$/],
  [
    'transport',
    `${base}transport_url: redi://:hidden@host`,
    /^transport_url \(mercure\.yaml:2\): there is no transport "redi"\. Did you mean "redis"\?/,
  ],
  [
    'algorithm',
    `${base}jwt_algorithm: hs25`,
    /^jwt_algorithm \(mercure\.yaml:2\): must be one of HS256, .*, EdDSA, Ed25519\. Did you mean "HS256"\?$/,
  ],
  [
    'algorithm that is a secret',
    `${base}jwt_algorithm: hidden-secret`,
    /^jwt_algorithm \(mercure\.yaml:2\): must be one of HS256, [^?]*\.$/,
  ],
  [
    'protocol',
    `${base}protocol: "2.0"`,
    /^protocol \(mercure\.yaml:2\): must be one of auto, 1\.0, 0\.x\. Did you mean "1\.0"\?$/,
  ],
  ['log format', `${base}log_format: XML`, /^log_format \(mercure\.yaml:2\): must be one of TEXT, JSON, FLUENTD\.$/],
  [
    'origin',
    `${base}cors_allowed_origins:\n  - https://a.example\n  - https://b.example/`,
    /^cors_allowed_origins\[1\] \(mercure\.yaml:4\): "https:\/\/b\.example\/" is not an origin: leave out the slash/,
  ],
  [
    'public URL',
    `${base}public_urls: [hub.example]`,
    /^public_urls\[0\] \(mercure\.yaml:2\): "hub\.example" is not an http or https URL/,
  ],
  [
    'resource identifier',
    `${base}resource_identifier: hub`,
    /^resource_identifier \(mercure\.yaml:2\): "hub" is not an absolute URL/,
  ],
  [
    'cookie name',
    `${base}cookie_name: a b`,
    /^cookie_name \(mercure\.yaml:2\): must be of letters, digits and the signs/,
  ],
  [
    'JWK Set URL',
    'publisher_jwks_url: https://u:hidden@a.example\njwt_key: hidden',
    /^publisher_jwks_url \(mercure\.yaml:1\): must not hold a user and password\.$/,
  ],
  // keys of 0.x
  [
    'no key',
    'allow_anonymous: true',
    /^jwt_key: nobody could publish: set jwt_key \(one secret for publishers and subscribers\), publisher_jwt_key, /,
  ],
  [
    'no key for subscribers',
    'publisher_jwt_key: hidden',
    /^jwt_key: nobody could subscribe: set jwt_key, subscriber_jwt_key, .* or allow_anonymous: true\.$/,
  ],
  ['no key for publishers', 'subscriber_jwt_key: hidden', /^jwt_key: nobody could publish/],
  [
    'PEM key without algorithm',
    `jwt_key: ${pem}`,
    /^jwt_key \(mercure\.yaml:1\): holds a public key: state its algorithm in jwt_algorithm, ES256\.$/,
  ],
  [
    'PEM key of a role without algorithm',
    `${base}publisher_jwt_key: ${pem}`,
    /^publisher_jwt_key \(mercure\.yaml:2\): holds a public key: state its algorithm in publisher_jwt_algorithm, ES256\.$/,
  ],
  [
    'PEM key with HMAC',
    `jwt_key: ${pem}\njwt_algorithm: HS256`,
    /^jwt_key \(mercure\.yaml:1\): holds a public key, but jwt_algorithm says HS256, with which everybody/,
  ],
  [
    'secret with ES256',
    `${base}jwt_algorithm: ES256`,
    /^jwt_key \(mercure\.yaml:1\): holds a plain secret, but jwt_algorithm says ES256/,
  ],
  [
    'secret of a role with ES256',
    `jwt_key: ${pem}\njwt_algorithm: ES256\npublisher_jwt_key: hidden`,
    /^publisher_jwt_key \(mercure\.yaml:3\): holds a plain secret, but jwt_algorithm says ES256/,
  ],
  [
    'key and JWK Set',
    `${base}publisher_jwt_key: hidden\npublisher_jwks_url: ${jwks}`,
    /^publisher_jwks_url \(mercure\.yaml:3\): publisher_jwt_key is set, too: give one of the two\.$/,
  ],
  [
    'JWK Set with HMAC',
    `${base}subscriber_jwks_url: ${jwks}\nsubscriber_jwt_algorithm: HS256`,
    /^subscriber_jwt_algorithm \(mercure\.yaml:3\): HS256 takes a secret, but subscriber_jwks_url gives public keys\.$/,
  ],
  // issuers
  [
    'issuer without id',
    `${base}issuers:\n  - publisher: {key: hidden}`,
    /^issuers\[0\]\.id \(mercure\.yaml:3\): is missing\.$/,
  ],
  [
    'issuer with an empty id',
    `${base}issuers:\n  - id: ""\n    publisher: {key: hidden}`,
    /^issuers\[0\]\.id \(mercure\.yaml:3\): is empty\.$/,
  ],
  ['issuer without role', issuer(''), /^issuers\[0\] \(mercure\.yaml:3\): has neither publisher nor subscriber/],
  [
    'issuer that comes twice',
    issuer('    publisher: {key: hidden}\n  - id: https://a.example\n    subscriber: {key: hidden}'),
    /^issuers\[1\]\.id \(mercure\.yaml:5\): is the same as that of issuers\[0\]: join the two\.$/,
  ],
  [
    'authorization server without URL',
    `${base}issuers:\n  - id: a\n    authorization_server: true\n    publisher: {key: hidden}`,
    /^issuers\[0\]\.authorization_server \(mercure\.yaml:4\): needs an id that is an https URL/,
  ],
  [
    'role without key',
    issuer('    publisher: {}'),
    /^issuers\[0\]\.publisher \(mercure\.yaml:4\): needs key, key_file or jwks_uri\.$/,
  ],
  [
    'role with key and JWK Set',
    issuer(`    publisher: {key: hidden, jwks_uri: "${jwks}"}`),
    /^issuers\[0\]\.publisher\.jwks_uri \(mercure\.yaml:4\): a key is given, too: give one of the two\.$/,
  ],
  [
    'role with a key and several algorithms',
    issuer('    publisher: {key: hidden, algorithms: [ES256]}'),
    /^issuers\[0\]\.publisher\.algorithms \(mercure\.yaml:4\): belongs to jwks_uri; with a key write algorithm/,
  ],
  [
    'role with a JWK Set and one algorithm',
    issuer(`    publisher: {jwks_uri: "${jwks}", algorithm: ES256}`),
    /^issuers\[0\]\.publisher\.algorithm \(mercure\.yaml:4\): belongs to a key; with jwks_uri write algorithms, as a list\.$/,
  ],
  [
    'role with a JWK Set and HMAC',
    issuer(`    publisher: {jwks_uri: "${jwks}", algorithms: [HS256]}`),
    /^issuers\[0\]\.publisher\.algorithms\[0\] \(mercure\.yaml:4\): must be one of RS256, /,
  ],
  [
    'role with a PEM key and no algorithm',
    issuer(`    subscriber: {key: ${pem}}`),
    /^issuers\[0\]\.subscriber\.key \(mercure\.yaml:4\): holds a public key: state its algorithm in algorithm, ES256\.$/,
  ],
  [
    'unknown key of a role',
    issuer('    publisher: {kei: hidden}'),
    /^issuers\[0\]\.publisher\.kei \(mercure\.yaml:4\): there is no such key\. Did you mean "key"\?$/,
  ],
  // generations
  [
    '1.0 without issuers',
    `${base}protocol: "1.0"`,
    /^protocol \(mercure\.yaml:2\): is 1\.0, but no issuers are set: no token would be accepted\. Add issuers\.$/,
  ],
  ['1.0 without quotes', `${base}protocol: 1.0`, /^protocol \(mercure\.yaml:2\): is 1\.0, but no issuers/],
  [
    '0.x without key',
    'protocol: 0.x\nissuers: [{id: a, publisher: {key: hidden}, subscriber: {key: hidden}}]',
    /^protocol \(mercure\.yaml:1\): is 0\.x, but no key is set/,
  ],
  // the server
  [
    'certificate without key',
    `${base}cert_file: mercure.yaml`,
    /^cert_file \(mercure\.yaml:2\): needs key_file, the private key of the certificate\.$/,
  ],
  [
    'key without certificate',
    `${base}key_file: mercure.yaml`,
    /^key_file \(mercure\.yaml:2\): needs cert_file, the certificate of the private key\.$/,
  ],
  [
    'missing certificate',
    `${base}cert_file: none.pem\nkey_file: mercure.yaml`,
    /^cert_file \(mercure\.yaml:2\): the file cannot be read: there is no such file\. Relative names start at \/.*\.$/,
  ],
  [
    'certificate that is a directory',
    `${base}cert_file: /\nkey_file: mercure.yaml`,
    /^cert_file \(mercure\.yaml:2\): the file cannot be read: it is a directory\./,
  ],
  [
    'metrics on the address of the hub',
    `${base}addr: ":9764"\nmetrics_enabled: true`,
    /^metrics_addr: 127\.0\.0\.1:9764 is taken by addr \(:9764\): choose another port, or ""/,
  ],
  // the admin address
  [
    'an admin address without a secret',
    `${base}admin_addr: :1`,
    /^admin_addr \(mercure\.yaml:2\): needs admin_secret or admin_secret_file/,
  ],
  [
    'a short secret of operators',
    `${base}admin_addr: :1\nadmin_secret: hidden`,
    /^admin_secret \(mercure\.yaml:3\): has 6 characters, and needs 32 random ones\. `openssl rand -base64 48` makes one\.$/,
  ],
  [
    'a secret of operators that no header takes',
    `${base}admin_addr: :1\nadmin_secret: hidden hidden hidden hidden hidden hidden`,
    /^admin_secret \(mercure\.yaml:3\): has a space/,
  ],
  [
    'the admin address on that of the hub',
    `${base}addr: :3000\nadmin_addr: 127.0.0.1:3000\nadmin_secret: hidden-hidden-hidden-hidden-hidden-hidden`,
    /^admin_addr \(mercure\.yaml:3\): 127\.0\.0\.1:3000 is taken by addr \(:3000\): choose another port\.$/,
  ],
  [
    'the admin address on that of the metrics',
    `${base}metrics_enabled: true\nadmin_addr: :9764\nadmin_secret: hidden-hidden-hidden-hidden-hidden-hidden`,
    /^admin_addr \(mercure\.yaml:3\): :9764 is taken by metrics_addr \(127\.0\.0\.1:9764\)/,
  ],
  // secrets in files
  [
    'missing file of a secret',
    'jwt_key_file: hidden',
    /^jwt_key_file \(mercure\.yaml:1\): the file cannot be read: there is no such file\./,
  ],
  ['empty file of a secret', 'jwt_key_file: empty', /^jwt_key_file \(mercure\.yaml:1\): the file is empty\.$/],
  [
    'secret twice',
    `${base}jwt_key_file: secret`,
    /^jwt_key_file \(mercure\.yaml:2\): jwt_key is set, too: give one of the two\.$/,
  ],
  [
    'secret of an issuer twice',
    issuer('    publisher: {key: hidden, key_file: secret}'),
    /^issuers\[0\]\.publisher\.key_file \(mercure\.yaml:4\): key is set, too: give one of the two\.$/,
  ],
  [
    'file with a wrong transport',
    `${base}transport_url_file: secret`,
    /^transport_url_file \(mercure\.yaml:2\): is not a URL; write it like/,
  ],
  [
    'file with a PEM key',
    'jwt_key_file: public.pem',
    /^jwt_key_file \(mercure\.yaml:1\): holds a public key: state its algorithm in jwt_algorithm, ES256\.$/,
  ],
]

const files = { empty: '\n', secret: 'hidden-secret\n', 'public.pem': spki(keyPair('ES256').publicKey) }

describe('a configuration is refused', () => {
  for (const [what, yaml, problem] of refused) {
    test(`for: ${what}`, async () => {
      const problems = await problemsOf({ yaml, files })
      assert.equal(problems.length, 1, problems.join('\n'))
      assert.match(problems[0]!, problem)
      assert.doesNotMatch(problems[0]!, /hidden|BEGIN/)
    })
  }

  test('for all its problems at once, in the order of its lines', async () => {
    const yaml =
      'heartbeat_interval: 15\njwt_kei: hidden\nissuers:\n  - id: a\ncert_file: x.pem\nmetrics_enabled: maybe\n'
    const problems = await problemsOf({ yaml, args: ['--addr', 'nowhere'], env: { DEBUG: 'app:*' } })
    assert.deepEqual(
      problems.map(problem => problem.slice(0, problem.indexOf(':', problem.indexOf(')')))),
      [
        'addr (--addr)',
        'debug (environment variable DEBUG)',
        'heartbeat_interval (mercure.yaml:1)',
        'jwt_kei (mercure.yaml:2)',
        'issuers[0] (mercure.yaml:4)',
        'cert_file (mercure.yaml:5)', // no such file
        'cert_file (mercure.yaml:5)', // no key_file
        'metrics_enabled (mercure.yaml:6)',
      ],
    )
  })

  test('without what only follows from a problem that is named', async () => {
    const problems = await problemsOf({ yaml: 'jwt_key: 5\nprotocol: 0.x' })
    assert.deepEqual(problems, ['jwt_key (mercure.yaml:1): must be text: put it in quotes.'])
  })
})
