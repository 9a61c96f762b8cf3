/** What goes wrong before a session: each is told in PostgreSQL's own words, written down where a person is known, and leaves nothing. */
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { parse, stringify } from 'yaml'
import { createAuthority } from '../sandbox/certificates.ts'
import { instances } from '../sandbox/default-world.ts'
import { waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'
import { clientFor, issueToken, openDatabase } from './database-client.ts'
import {
  dialPort,
  dialTls,
  dialWebsocket,
  type ErrorFields,
  errorIn,
  sslRequest,
  startup,
  untilClosed,
} from './wire-client.ts'

const company = await startCompany()
t.teardown(() => company.close())
const { databases, aws } = company.sandbox

/** By the websocket of the local proxy, as this person. */
async function ask(query: string, person: 'alice' | 'dave' = 'alice', database = 'orders'): Promise<ErrorFields> {
  const stream = await dialWebsocket(company, person, query)
  stream.write(startup(['user', 'anyone'], ['database', database]))
  return errorIn(await untilClosed(stream))
}

/** By the broker's own port, with this token as the password. */
async function signIn(token: Awaited<ReturnType<typeof issueToken>>) {
  const client = clientFor(company, token)
  client.on('error', () => {})
  return await client.connect().then(
    () => {
      throw new Error('it was let in')
    },
    (error: { code?: string; message: string; hint?: string; detail?: string }) => error,
  )
}

/** The newest event of this type names a known person and this code. The books are closed right after the client is told. */
async function isAudited(t: Test, code: string, type = 'session.denied'): Promise<void> {
  const newest = async () => {
    const { events } = await company.api<{ events: { actor: string; fields: Record<string, unknown> }[] }>(
      'carol',
      'GET',
      `/api/v1/audit/events?type=${type}&limit=1`,
    )
    return events[0]
  }
  await waitUntil(async () => (await newest())?.fields.code === code, `the log has ${type} with ${code}`, 5000, 50)
  t.match(await newest(), { actor: /^prn_/, fields: { code } }, `the log has ${type} with ${code}`)
}

async function nothingIsLeft(t: Test): Promise<void> {
  const open = async () =>
    (await company.api<{ sessions: unknown[] }>('carol', 'GET', '/api/v1/sessions?open=true')).sessions
  await waitUntil(async () => databases.orders.open === 0 && (await open()).length === 0, 'nothing is open', 5000, 50)
  t.same(await open(), [], 'no session is open')
  t.equal(databases.orders.open, 0, 'no connection to the database')
}

/** A test that has to leave the house as it found it. */
async function testOf(name: string, run: (t: Test) => Promise<void>): Promise<void> {
  await t.test(name, async (t) => {
    await run(t)
    await databases.orders.faults.clear()
    aws.faults.clear()
    await nothingIsLeft(t)
  })
}

await testOf('no grant', async (t) => {
  t.match(await ask('resource=orders'), { S: 'FATAL', C: '28000', M: /no grant/, H: /sallyport request orders/ })
  await isAudited(t, 'GRANT_DENIED')
})

await testOf('a resource that is not there, and one that is somebody else’s, look the same', async (t) => {
  const unknown = await ask('resource=nowhere')
  t.match(unknown, { C: '28000', M: /no such resource/, H: /sallyport ls/ })
  const hidden = await ask('resource=billing')
  t.equal(hidden.M?.replace('billing', 'nowhere'), unknown.M)
  t.equal(hidden.H, unknown.H)
  await isAudited(t, 'RESOURCE_UNKNOWN')
})

await testOf('a name that two resources have', async (t) => {
  const { configFile } = company.daemon
  const good = readFileSync(configFile, 'utf8')
  const config = parse(good)
  const [orders] = config.resources
  config.resources.push(JSON.parse(JSON.stringify(orders).replaceAll('eu-west-1', 'us-east-1')))
  writeFileSync(configFile, stringify(config))
  company.daemon.signal('SIGHUP')
  const count = async () =>
    (await company.api<{ resources: unknown[] }>('alice', 'GET', '/api/v1/resources?kind=rds-postgres')).resources
      .length
  await waitUntil(async () => (await count()) === 2, 'two databases are in the catalog', 5000, 50)
  t.match(await ask('resource=orders'), { C: '28000', M: /eu-west-1[\s\S]*us-east-1/ })
  await isAudited(t, 'RESOURCE_AMBIGUOUS')
  writeFileSync(configFile, good)
  company.daemon.signal('SIGHUP')
  await waitUntil(async () => (await count()) === 1, 'one database is in the catalog', 5000, 50)
  t.equal(await count(), 1)
})

await testOf('a level that nobody gave', async (t) => {
  await company.grant()
  t.match(await ask('resource=orders&level=admin'), { C: '28000', M: /level admin/ })
  await isAudited(t, 'GRANT_DENIED')
})

// Before any other: credentials of a grant are kept until they run out.
await testOf('AWS denies', async (t) => {
  aws.faults.deny('sts:AssumeRole')
  t.match(await ask('resource=orders'), { C: '28000', M: /AWS/ })
  await isAudited(t, 'AWS_DENIED', 'session.ended')
})

await testOf('a database that the level does not reach', async (t) => {
  t.match(await ask('resource=orders', 'alice', 'nowhere'), { C: '3D000', M: /nowhere/ })
  await isAudited(t, 'DATABASE_DENIED', 'session.ended')
})

await testOf('a wrong token, an unknown one, and one that was taken back: the same words', async (t) => {
  const token = await issueToken(company)
  const wrong = await signIn({ ...token, token: `${token.token.slice(0, -6)}${'A'.repeat(6)}` })
  t.match(wrong, { code: '28P01', hint: /token|sallyport/ })
  const unknown = await signIn({ ...token, user: `t_${'0'.repeat(16)}` })
  await company.api('alice', 'DELETE', `/api/v1/connect-tokens/${token.id}`)
  const withdrawn = await signIn(token)
  for (const other of [unknown, withdrawn])
    t.same([other.code, other.message, other.hint], [wrong.code, wrong.message, wrong.hint])
})

await testOf('a good token from an address that it is not for', async (t) => {
  const token = await issueToken(company, 'alice', { cidr: '10.0.0.0/8' })
  t.match(await signIn(token), { code: '28000', message: /address/ })
  await isAudited(t, 'ADDRESS_REFUSED')
})

await testOf('a grant that has run out', async (t) => {
  const live = async () => (await company.api<{ grants: { id: string }[] }>('alice', 'GET', '/api/v1/grants')).grants
  for (const { id } of await live()) await company.api('alice', 'POST', `/api/v1/grants/${id}/return`, {})
  await company.grant(1500)
  const token = await issueToken(company)
  await waitUntil(async () => (await live()).length === 0, 'it has run out', 5000, 50)
  t.match(await ask('resource=orders'), { C: '28000', M: /ended|expired/, H: /sallyport request orders/ })
  await isAudited(t, 'GRANT_EXPIRED')
  t.match(await signIn(token), { code: /^28/ })
})

await testOf('the database is down', async (t) => {
  await company.grant()
  await databases.orders.faults.down(true)
  t.match(await ask('resource=orders'), { C: '08001', M: /did not answer/, H: /target is running/ })
  await isAudited(t, 'TARGET_UNREACHABLE', 'session.ended')
})

await testOf('the database refuses the IAM token', async (t) => {
  databases.orders.faults.refuse(true)
  t.match(await ask('resource=orders'), { C: '28000', M: /PAM authentication failed/, H: /rds_iam/ })
  await isAudited(t, 'TARGET_REFUSED', 'session.ended')
})

await testOf('the certificate of the database is of an authority that nobody named', async (t) => {
  databases.orders.faults.certificate(createAuthority().issue([instances.orders.endpoint]))
  const told = await ask('resource=orders')
  t.match(told, { C: '08001', M: /identity of the target could not be verified/, H: /trusted roots/ })
  await isAudited(t, 'TARGET_UNTRUSTED', 'session.ended')
})

await testOf('its certificate is of a known authority, and for another name', async (t) => {
  databases.orders.faults.certificate(company.sandbox.authority.issue(['billing.example.com']))
  t.match(await ask('resource=orders'), { C: '08001' })
  await isAudited(t, 'TARGET_UNTRUSTED', 'session.ended')
})

await testOf('and what is left works', async (t) => {
  const { client } = await openDatabase(company)
  t.equal((await client.query('select 1')).rowCount, 1)
  await client.end()
})

await testOf('garbage before startup', async (t) => {
  for (const garbage of [Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'), randomBytes(64), Buffer.alloc(64)]) {
    const socket = await dialPort(company)
    socket.write(garbage)
    t.match(errorIn(await untilClosed(socket)), { S: 'FATAL', C: /08P01|28000/ })
  }
})

await testOf('a websocket that says something else while the open port is being audited', async (t) => {
  for (const said of ['text', Buffer.alloc(2 * 1024 * 1024)]) {
    const url = `${company.daemon.url.replace('http', 'ws')}/api/v1/connect/postgres?resource=orders&no_password=1`
    const socket = new WebSocket(url, { headers: { cookie: company.cookie('alice'), origin: company.daemon.url } })
    socket.on('open', () => socket.send(said)).on('error', () => {})
    await new Promise((resolve) => socket.once('close', resolve))
    t.equal((await fetch(`${company.daemon.url}/readyz`)).status, 200, 'the daemon goes on')
  }
})

await testOf('a startup packet of 2 GB is refused by its length', async (t) => {
  for (const dial of [dialPort, dialTls]) {
    const stream = await dial(company)
    stream.write(Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0]))
    t.match(errorIn(await untilClosed(stream)), { C: '08P01', M: /length|long|large|bytes/ })
  }
})

await testOf('startup keys that come twice', async (t) => {
  for (const dial of [() => dialTls(company), () => dialWebsocket(company, 'alice', 'resource=orders')]) {
    const stream = await dial()
    stream.write(startup(['user', 'a'], ['user', 'b'], ['database', 'orders']))
    t.match(errorIn(await untilClosed(stream)), { C: '08P01', M: /user/ })
  }
  await isAudited(t, 'PROTOCOL_ERROR')
})

await testOf('plaintext stuffed behind SSLRequest is not taken for what comes through TLS', async (t) => {
  const socket = await dialPort(company)
  socket.write(Buffer.concat([sslRequest, startup(['user', 'mallory'], ['database', 'orders'])]))
  const answer = await untilClosed(socket)
  const told = answer.subarray(answer.indexOf('E'))
  t.match(errorIn(told), { C: '08P01' })
})

await testOf('no TLS at all', async (t) => {
  const socket = await dialPort(company)
  socket.write(startup(['user', 'anyone'], ['database', 'orders']))
  t.match(errorIn(await untilClosed(socket)), { C: '28000', M: /TLS/, H: /sslmode/ })
})

await testOf('who is not known is counted, and does not fill the log', async (t) => {
  const text = await (await fetch(`${company.daemon.metricsUrl}/metrics`)).text()
  t.match(text, /sallyport_unidentified_clients_total\{code="PROTOCOL_ERROR"\} [1-9]/)
  t.match(text, /sallyport_unidentified_clients_total\{code="TOKEN_INVALID"\} [1-9]/)
})
