// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references look like this
import { join } from 'node:path'
import t from 'tap'
import type { ConfigCheck } from '../../../src/config/config.ts'
import { findReferences, hide, substitute } from '../../../src/config/references.ts'
import { load, minimal, problemsOf } from './load-text.ts'

const secret = 'hunter2-correct-horse'
const withSecret = (text: string) => `${minimal}  client_secret: ${text}\n`

t.test('a secret comes from the environment or from a file beside the configuration', async (t) => {
  const of = async (text: string) => {
    const loaded = await load(t, withSecret(text), {
      env: { OIDC_SECRET: secret, HALF: 'hunter2' },
      files: { secret: `${secret}\n`, windows: `${secret}\r\n`, inner: '${env:OIDC_SECRET}' },
    })
    return loaded.ok ? [loaded.config.oidc.clientSecret, loaded.warnings] : loaded.problems
  }
  t.same(await of('${env:OIDC_SECRET}'), [secret, []])
  t.same(await of('"${file:secret}"'), [secret, []], 'the line end of the file is not part of it')
  t.same(await of('"${file:windows}"'), [secret, []])
  t.same(await of('"${env:HALF}-correct-horse"'), [secret, []], 'a part of the text')
  t.same(await of('"${file:inner}"'), ['${env:OIDC_SECRET}', []], 'what a reference holds is not looked into')
  t.match(await of('"$${env:OIDC_SECRET}"'), ['${env:OIDC_SECRET}', [{ message: /written in the file/ }]], 'escaped')
})

t.test('a reference that cannot be read is a problem with its place', async (t) => {
  const of = async (text: string) =>
    await problemsOf(t, withSecret(text), {
      env: { EMPTY: '' },
      files: { empty: '\n', large: 'x'.repeat(64_001), binary: new Uint8Array([0xff, 0xfe]) },
    })
  t.same(await of('${env:NOT_SET}'), ['7:18 oidc.client_secret: environment variable NOT_SET is not set; set NOT_SET'])
  t.same(await of('${env:EMPTY}'), ['7:18 oidc.client_secret: environment variable EMPTY is empty; set EMPTY'])
  t.match(await of('"${file:no/such}"'), [/client_secret: \$\{file:no\/such\}: .*no\/such cannot be read \(ENOENT\)/])
  t.match(await of('"${file:empty}"'), [/ is empty; put the value in a file that the daemon can read$/])
  t.match(await of('"${file:large}"'), [/ is larger than 64 KB/])
  t.match(await of('"${file:binary}"'), [/ is not UTF-8/])
  t.match(await of('"${file:/dev/zero}"'), [/ is not a file/])
  t.match(await of('"${vault:secret}"'), [/expected a reference, got \$\{vault:secret\}; write \$\{env:NAME\} or/])
  t.match(await of('"${env:}"'), [/expected a reference, got \$\{env:\}/])
  t.match(await of('"${env:OPEN"'), [/expected a reference, got \$\{env:OPEN/])
})

t.test('two references that cannot be read are two problems, and others of the file stay', async (t) => {
  const text = withSecret('"${env:A}${env:B}"').replace('client_id: sallyport', 'client_id: 7')
  t.same(await problemsOf(t, text), [
    '6:14 oidc.client_id: expected text, got 7; put it in quotes: "7"',
    '7:18 oidc.client_secret: environment variable A is not set; set A',
    '7:18 oidc.client_secret: environment variable B is not set; set B',
  ])
})

t.test('what a reference holds appears in no problem, wherever somebody put it', async (t) => {
  const key = '-----BEGIN PRIVATE KEY-----\nMIIE//vwIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n'
  const check: ConfigCheck = ({ resources, oidc }) => ({
    problems: resources.map(({ id }, i) => ({ path: `resources[${i}].id`, message: `bad "${id}"`, fix: `not ${id}` })),
    warnings: [{ path: 'oidc', message: `${oidc.clientSecret}`, fix: '' }],
  })
  const places = [
    'server: { public_url: "${env:S}" }',
    'server: { public_url: "https://${env:S}@access.example.com" }',
    'server: { public_url: http://localhost, trusted_proxies: ["${env:S}"] }',
    'server: { public_url: http://localhost, listen: "${env:S}" }',
    'server: { public_url: http://localhost, tls: { cert: "${env:S}", key: "${file:key}" } }',
    'server: { public_url: http://localhost, drain: "${env:S}" }',
    'server: { public_url: "http://${env:S}.example.com" }',
    'version: "${env:S}"',
    'keys: "${env:S}"',
    'resources: [{ id: "rds-postgres/${env:S}" }]',
    'resources: [{ id: "${env:S}" }]',
    'listeners: { postgres: [{ listen: "0.0.0.0:1", resource: "${env:S}" }] }',
    'aws: { regions: ["${env:S}"], endpoint_url: "http://${env:S}" }',
    'audit: { anchors: ["${env:S}"] }',
    'access: "${env:S}"',
  ]
  for (const place of places) {
    const text = place.startsWith('server') ? minimal.replace(/server:\n.*\n/, `${place}\n`) : `${minimal}${place}\n`
    const loaded = await load(t, text, { env: { S: secret }, files: { key }, checks: [check] })
    const told = JSON.stringify(loaded.ok ? loaded.warnings : loaded.problems)
    t.notMatch(told, secret, place)
    t.notMatch(told, /vwIBADANBgkqhkiG9w0BAQ/, place)
    if (place !== 'keys: "${env:S}"') t.not(loaded.ok && loaded.warnings.length === 0, place)
  }
})

t.test('a secret written in the file is warned of, and not repeated when it is wrong', async (t) => {
  const loaded = await load(t, withSecret(secret))
  t.match(loaded, { ok: true, warnings: [{ path: 'oidc.client_secret', line: 7, column: 18 }] })
  t.notMatch(JSON.stringify(loaded.ok ? loaded.warnings : loaded.problems), secret)
  t.same(await problemsOf(t, withSecret('12345678')), [
    '7:18 oidc.client_secret: expected text, got something else; e.g. ${env:OIDC_SECRET}',
  ])
  t.notMatch(await problemsOf(t, withSecret(`"${secret}" x`)), new RegExp(secret), 'nor by the YAML parser')
  t.notMatch(
    await problemsOf(t, minimal.replace('http://localhost:8443', `ftp://user:${secret}@host`)),
    new RegExp(secret),
    'nor the password of a URL',
  )
})

t.test('references are found and replaced in values, never in keys', (t) => {
  const value = { '${env:A}': ['x', { deep: 'a${file:b/c}d$${e}' }], n: 1, none: null }
  t.same(findReferences(value), [{ path: ['${env:A}', 1, 'deep'], text: '${file:b/c}', source: 'file', name: 'b/c' }])
  t.same(substitute(value, new Map([['${file:b/c}', '$&']])), {
    '${env:A}': ['x', { deep: 'a$&d${e}' }],
    n: 1,
    none: null,
  })
  t.same(findReferences('${env:A}${env:A}$${env:B}').length, 2)
  t.equal(
    hide(
      'abcdef and abcd',
      new Map([
        ['${env:X}', 'abcd'],
        ['${env:Y}', 'abcdef'],
      ]),
    ),
    '${env:Y} and ${env:X}',
  )
  t.equal(hide('a b c', new Map([['${env:X}', 'a']])), 'a b c')
  t.end()
})

t.test('paths of the file start at its folder', async (t) => {
  const loaded = await load(
    t,
    `${minimal}keys: { dir: ../keys }\nstore: { url: sqlite:/srv/x.db }\nrecordings: { dir: /var/lib/sallyport }\n`,
  )
  t.ok(loaded.ok)
  if (!loaded.ok) return
  t.equal(loaded.config.keysDir, join(loaded.config.file, '../../keys'))
  t.equal(loaded.config.stateDir, '/srv/state', 'beside the store where nothing else is said')
  t.equal(loaded.config.recordings.dir, '/var/lib/sallyport')
})
