import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../../src/config/load.ts'
import { kinds } from '../../../src/kinds/registry.ts'
import { folder, load, minimal, problemsOf } from './load-text.ts'

t.test('the shortest file gives every default', async (t) => {
  const loaded = await load(t, minimal)
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
  const { config, warnings } = loaded
  const dir = join(config.file, '..')
  t.same(config.server, {
    listen: { host: '127.0.0.1', port: 8443 },
    publicUrl: 'http://localhost:8443',
    tls: null,
    trustedProxies: [],
    metricsListen: { host: '127.0.0.1', port: 9464 },
    peerUrl: null,
    proxyProtocol: [],
    workers: 0,
    drainMs: 600_000,
    drainDelayMs: 5000,
  })
  t.same(config.store, { url: `sqlite:${dir}/data/sallyport.db`, postgres: null, graceMs: 30_000 })
  t.equal(config.keysDir, join(dir, 'data/keys'))
  t.equal(config.stateDir, join(dir, 'data/state'))
  t.same(config.oidc, {
    issuer: 'https://login.example.com',
    clientId: 'sallyport',
    clientSecret: null,
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    groupsClaim: 'groups',
    groupsSource: 'any',
    freshPrompt: 'login consent',
    managerClaim: 'manager',
    loginClaim: null,
    tagClaims: [],
    adminGroups: [],
    auditorGroups: [],
    sessionIdleMs: 43_200_000,
    sessionMaxMs: 86_400_000,
    probeEveryMs: 900_000,
  })
  t.same(config.recordings, {
    dir: join(dir, 'data/recordings'),
    maxPerSessionBytes: 1_000_000_000,
    maxPerPrincipalBytes: 10_000_000_000,
    reserveBytes: 1_000_000_000,
  })
  t.same(config.limits, { sessions: 10_000, sessionsPerPrincipal: 100, sessionsPerResource: 1000, sessionIdleMs: 0 })
  t.match(warnings, [{ path: 'oidc', line: 5, column: 3, message: /no client_secret/ }])
})

t.test('every problem of every section at once, each with its place, what is wrong, and what to do', async (t) => {
  const text = `version: 2
server:
  listen: 0.0.0.0:84430
  pubic_url: https://access.example.com
  drain: soon
store: { url: "mysql://db", grace: 2h }
oidc:
  issuer: login.example.com
  admin_groups: platform
listeners:
  postgres:
    - listen: 5432
limits: { sessions: 0, sessions_per_principal: 1.5 }
recordings: { reserve: 1 }
acess: []
aws:
  accounts:
    1234: {}
access:
  - name: Engineers
    who: { groups: [""] }
    what: {}
    levels: []
    max_duration: 2y
    approval: { stages: [{ any_of: [boss] }] }
`
  t.same(await problemsOf(t, text), [
    '1:10 version: expected 1, got 2; e.g. 1',
    '2:1 server.public_url: "public_url" is missing; add public_url; e.g. https://access.example.com',
    '3:11 server.listen: expected HOST:PORT with a port of 0–65535, got "0.0.0.0:84430"; e.g. 0.0.0.0:8443',
    '4:3 server.pubic_url: unknown key "pubic_url"; did you mean public_url?',
    '5:10 server.drain: expected a duration of 0s to 24h, such as 10m, got "soon"; e.g. 10m',
    '6:15 store.url: expected sqlite:PATH or postgres://USER@HOST:PORT/DATABASE, got something else; e.g. sqlite:./data/sallyport.db',
    '6:36 store.grace: expected a duration of 0s to 1h, such as 30s, got "2h"; e.g. 30s',
    '7:1 oidc.client_id: "client_id" is missing; add client_id; e.g. sallyport',
    '8:11 oidc.issuer: expected a URL that begins with https:// or http://, got "login.example.com"; e.g. https://login.example.com',
    '9:17 oidc.admin_groups: expected a list, got "platform"; e.g. ["platform"]',
    '12:15 listeners.postgres[0].listen: expected HOST:PORT with a port of 0–65535, got 5432; e.g. 0.0.0.0:5432',
    '13:21 limits.sessions: expected a whole number from 1, got 0; e.g. 10000',
    '13:48 limits.sessions_per_principal: expected a whole number from 1, got 1.5; e.g. 100',
    '14:24 recordings.reserve: expected a size such as 500KB, 100MB or 1GB, got 1; e.g. 1GB',
    '15:1 acess: unknown key "acess"; did you mean access?',
    '18:5 aws.accounts.1234: expected an account id of 12 digits, got "1234"; correct the name',
    '20:11 access[0].name: expected 1–63 lower-case letters, digits and hyphens, got "Engineers"; e.g. engineers-read-databases',
    '21:21 access[0].who.groups[0]: expected some text, got ""; write text',
    '23:13 access[0].levels: expected at least 1 item, got none; e.g. ["readonly"]',
    '24:19 access[0].max_duration: expected a duration of 1s to 365d, such as 8h, got "2y"; e.g. 8h',
    '25:37 access[0].approval.stages[0].any_of[0]: expected group:NAME, email:ADDRESS or manager, got "boss"; e.g. group:database-owners',
  ])
})

t.test('one broken section does not hide what is wrong in another', async (t) => {
  const text = minimal.replace('http://localhost:8443', 'http://access.example.com').replace('client_id', 'client-id')
  t.same(await problemsOf(t, text), [
    '3:15 server.public_url: expected https, got http; use https; only loopback addresses may use http',
    '4:1 oidc.client_id: "client_id" is missing; add client_id; e.g. sallyport',
    '6:3 oidc.client-id: unknown key "client-id"; did you mean client_id?',
  ])
})

t.test('durations become milliseconds, sizes bytes, and each limit is checked one step beyond', async (t) => {
  const drain = async (text: string) => {
    const loaded = await load(t, minimal.replace('oidc:', `  drain: ${text}\noidc:`))
    return loaded.ok ? loaded.config.server.drainMs : loaded.problems.map(({ message }) => message)
  }
  t.equal(await drain('0s'), 0)
  t.equal(await drain('1500ms'), 1500)
  t.equal(await drain('1440m'), 86_400_000)
  t.equal(await drain('24h'), 86_400_000)
  t.equal(await drain('1d'), 86_400_000)
  t.same(await drain('1441m'), ['expected a duration of 0s to 24h, such as 10m, got "1441m"'])
  for (const wrong of ['10', '10 m', '-1s', '1.5h', '1h30m', '1H', '123456789s', 'null'])
    t.match(await drain(wrong), [/^expected a duration of 0s to 24h, such as 10m, got /], wrong)
  const size = async (text: string) => {
    const loaded = await load(t, `${minimal}recordings: { max_per_session: ${text} }\n`)
    return loaded.ok ? loaded.config.recordings.maxPerSessionBytes : loaded.problems.map(({ message }) => message)
  }
  t.equal(await size('500KB'), 500_000)
  t.equal(await size('2GB'), 2_000_000_000)
  for (const wrong of ['2GiB', '1TB', '12', '-1MB', '1234567KB', 'big'])
    t.match(await size(wrong), [/^expected a size such as 500KB, 100MB or 1GB, got /], wrong)
})

t.test('wrong types are named as they were typed', async (t) => {
  const at = async (text: string) => (await problemsOf(t, `${minimal}${text}\n`))[0]
  t.equal(
    await at('aws: { external_id: 0123456 }'),
    '7:21 aws.external_id: expected 2–1224 of letters, digits and +=,.@:/-_, got 0123456; put it in quotes: "0123456"',
  )
  t.equal(
    await at('aws:'),
    '7:1 aws: expected a mapping, got nothing; fill it in, or remove the key; it is: access to AWS',
  )
  t.equal(
    await at('resources: {}'),
    '7:12 resources: expected a list, got a mapping; it is: catalog entries added by hand',
  )
  t.equal(
    await at('aws: { endpoint_url: [] }'),
    '7:22 aws.endpoint_url: expected a URL that begins with https:// or http://, or a mapping, got a list; e.g. http://127.0.0.1:4566',
  )
  t.match(await at('resources: [{ id: orders }]'), /expected a full id: KIND\/ACCOUNT\/REGION\/NAME, got "orders"/)
})

t.test('a file that is not there, is a folder, is too large, is empty or is not text', async (t) => {
  const dir = folder(t)
  const of = async (name: string) => {
    const loaded = await loadConfig(join(dir, name), { env: {}, kinds })
    return loaded.ok ? [] : loaded.problems.map(({ message, fix }) => `${message}; ${fix}`)
  }
  const fix = 'give the path of a configuration file that the daemon can read'
  t.same(await of('missing.yaml'), [`${dir}/missing.yaml cannot be read (ENOENT); ${fix}`])
  t.same(await of('.'), [`${dir} is not a file; ${fix}`])
  t.match(await problemsOf(t, `# ${'x'.repeat(10_000_000)}\n${minimal}`), [/is larger than 1000 KB/])
  t.match(await problemsOf(t, Buffer.from([0x61, 0xff, 0xfe])), [/is not UTF-8/])
  t.match(await problemsOf(t, ''), [/^1:1 : expected a mapping, got nothing/])
  t.match(await problemsOf(t, '- a\n- b\n'), [/^1:1 : expected a mapping, got a list/])
})
