// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references look like this
import { dirname, join } from 'node:path'
import t from 'tap'
import { createAuthority } from '../../sandbox/certificates.ts'
import { load, minimal, problemsOf } from './load-text.ts'

const withStore = (text: string) => `${minimal}store: ${text}\n`

t.test('PostgreSQL: what the URL and the settings beside it say', async (t) => {
  const { cert, key } = createAuthority().issue(['daemon'])
  const text =
    '{ url: "postgres://sally%40port@db.internal/access", password: "${env:PW}", connections: 20, lock_timeout: 1s, ' +
    'tls: { ca: ca.pem, cert: c.pem, key: k.pem } }'
  const loaded = await load(t, withStore(text), {
    env: { PW: 'hunter2' },
    files: { 'ca.pem': createAuthority().cert, 'c.pem': cert, 'k.pem': key },
  })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
  const { store, stateDir, file } = loaded.config
  const dir = dirname(file)
  t.same(store, {
    url: 'postgres://sally@port@db.internal:5432/access',
    postgres: {
      host: 'db.internal',
      port: 5432,
      user: 'sally@port',
      database: 'access',
      password: 'hunter2',
      tls: { ca: join(dir, 'ca.pem'), cert: join(dir, 'c.pem'), key: join(dir, 'k.pem') },
      connections: 20,
      statementTimeoutMs: 10_000,
      lockTimeoutMs: 1000,
    },
    graceMs: 30_000,
  })
  t.equal(stateDir, join(dir, 'data/state'))
})

t.test('PostgreSQL without TLS, on loopback only without a warning', async (t) => {
  const of = async (host: string) => {
    const loaded = await load(t, withStore(`{ url: "postgres://a@${host}:6000/d?sslmode=disable" }`))
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
    const warned = loaded.warnings.filter(({ path }) => path === 'store.url').map(({ message }) => message)
    return [loaded.config.store.postgres?.host, loaded.config.store.postgres?.tls, warned]
  }
  t.same(await of('127.0.0.1'), ['127.0.0.1', null, []])
  t.same(await of('[::1]'), ['::1', null, []])
  t.same(await of('db.internal'), ['db.internal', null, ['everything in the store passes the network unencrypted']])
})

t.test('a URL that says too little, too much or a secret', async (t) => {
  const of = async (text: string) => await problemsOf(t, withStore(text))
  const example = 'e.g. postgres://sallyport@store.internal:5432/sallyport'
  const first = (await of('{ url: "postgres://db.internal" }'))[0] ?? ''
  const at = first.slice(0, first.indexOf(' '))
  t.same(await of('{ url: "postgres://db.internal" }'), [
    `${at} store.url: names no user; ${example}`,
    `${at} store.url: names no database; ${example}`,
  ])
  t.match(await of('{ url: "postgres://a@h:99999/d" }'), [/expected a URL/])
  t.match(await of('{ url: "postgres://a@h/d/e" }'), [/expected one name after the host/])
  t.match(await of('{ url: "postgres://%@h/d" }'), [/names no user/])
  t.match(await of('{ url: "postgres://a@h/d?sslmode=require" }'), [
    /sslmode require does not verify the server; write verify-full/,
  ])
  t.match(await of('{ url: "postgres://a@h/d?host=/tmp&options=x" }'), [
    /parameter host is not known/,
    /parameter options is not/,
  ])
  const secret = await of('{ url: "postgres://a:hunter2@h/d" }')
  t.match(secret, [/has a password in the URL, which messages repeat; remove it, and set store.password/])
  t.notMatch(secret.join(), 'hunter2')
  t.notMatch((await of('{ url: "postgre://a:hunter2@h/d" }')).join(), 'hunter2')
  t.match(await of('{ url: "postgres://a@h/d", tls: { cert: c.pem } }'), [/both cert and key/])
  t.match(await of('{ url: "postgres://a@h/d?sslmode=disable", tls: {} }'), [/no effect with sslmode=disable/])
  t.match(await of('{ url: "postgres://a@h/d", tls: { ca: no.pem } }'), [/store.tls.ca: the file cannot be read/])
})

t.test('what only PostgreSQL has is a warning beside SQLite, and a password in the file is one anywhere', async (t) => {
  const of = async (text: string) => {
    const loaded = await load(t, withStore(text), { env: { PW: 'hunter2' } })
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
    const ours = loaded.warnings.filter(({ path }) => path.startsWith('store'))
    return ours.map(({ path, message }) => `${path} ${message}`)
  }
  t.same(await of('{ password: "${env:PW}", connections: 5 }'), [
    'store.password has no effect on SQLite',
    'store.connections has no effect on SQLite',
  ])
  t.same(await of('{ url: "postgres://a@h/d", password: hunter2 }'), [
    'store.password the secret is written in the file',
  ])
  t.same(await of('{ url: "postgres://a@h/d", password: "${env:PW}" }'), [])
})
