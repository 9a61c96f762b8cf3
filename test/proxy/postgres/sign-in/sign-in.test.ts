/** The sign-in with the clients that people have: psql and node-postgres. */
import { spawn } from 'node:child_process'
import pg from 'pg'
import t from 'tap'
import { authenticationOk, encodeBackendKeyData, encodeReadyForQuery } from '../../../../proxy/wire/postgres/encode.ts'
import { skipWithout } from '../../../sandbox/programs.ts'
import { waitUntil } from '../../../wait-until.ts'
import { openPort, type Port, scriptedEnd, token, tokenId } from '../port.ts'

const { Client, DatabaseError } = pg
const withPsql = { skip: skipWithout('psql') }

interface PsqlOptions {
  readonly user?: string
  readonly password?: string
  readonly settings?: string
  readonly env?: NodeJS.ProcessEnv
}

/** @returns what psql wrote to stderr; it can only fail, because the port ends every session */
async function psql(
  port: Port,
  { user = `t_${tokenId}`, password = token, settings = '', env = {} }: PsqlOptions = {},
) {
  const target = `host=localhost port=${port.listener.port} user=${user} dbname=shop sslrootcert=${port.caFile}`
  const child = spawn('psql', ['-w', '-X', `${target} sslmode=verify-full ${settings}`], {
    env: { PATH: process.env.PATH, PGPASSWORD: password, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let text = ''
  for await (const chunk of child.stderr) text += chunk
  return text
}

t.test('psql signs in by SCRAM, with the channel bound, and the token stays with it', withPsql, async (t) => {
  const port = await openPort(t)
  t.match(await psql(port, { settings: 'channel_binding=require' }), new RegExp(`FATAL: .*${scriptedEnd}`))
  t.match(await psql(port, { settings: 'channel_binding=disable' }), new RegExp(scriptedEnd))
  t.strictSame(port.claims, Array(2).fill({ by: 'proof', tokenId }))
  t.match(port.received, [{ client: { database: 'shop', tool: 'psql', level: 'readonly' } }])
  await waitUntil(() => port.open() === 0)
})

t.test('psql signs in with the token in clear text under any other name', withPsql, async (t) => {
  const port = await openPort(t)
  t.match(await psql(port, { user: 'alice' }), new RegExp(scriptedEnd))
  t.strictSame(port.claims, [{ by: 'token', token }])
})

t.test('psql shows the same words for a wrong token and for one that is not known', withPsql, async (t) => {
  const port = await openPort(t)
  const said = [
    await psql(port, { password: `${token}x` }),
    await psql(port, { user: 't_fedcba9876543210' }),
    await psql(port, { user: 'alice', password: 'wrong' }),
  ]
  for (const text of said) {
    t.match(text, /FATAL: {2}the access token is invalid, expired or revoked\nDETAIL: .*TOKEN_INVALID/)
    t.match(text, /HINT: .*sallyport connect RESOURCE --token/)
  }
  t.strictSame(port.failures, Array(3).fill('TOKEN_INVALID'))
  t.same(port.claims, [{ by: 'token', token: 'wrong' }], 'a wrong proof never gets as far as the doorman')
})

t.test('psql passes its settings on, and is told of those that are not', withPsql, async (t) => {
  const port = await openPort(t)
  const env = { PGOPTIONS: '-c statement_timeout=5s --search-path=a\\ b', PGTZ: 'UTC', PGCLIENTENCODING: 'UTF8' }
  await psql(port, { env })
  const [received] = port.received
  const parameters = received?.kind === 'client' ? Object.fromEntries(received.client.parameters) : {}
  t.match(parameters, { statement_timeout: '5s', search_path: 'a b', timezone: 'UTC', client_encoding: 'UTF8' })
  t.match(await psql(port, { env: { PGOPTIONS: '-c role=postgres' } }), /startup parameter "role"/)
})

t.test('psql without TLS is told to use it', withPsql, async (t) => {
  const port = await openPort(t)
  t.match(await psql(port, { settings: 'sslmode=disable' }), /FATAL: .*requires TLS.*HINT: .*verify-full/s)
  t.strictSame(port.failures, ['TLS_REQUIRED'])
})

t.test('psql that trusts another authority does not sign in', withPsql, async (t) => {
  const [port, other] = [await openPort(t), await openPort(t)]
  t.match(await psql(port, { settings: `sslrootcert=${other.caFile}` }), /certificate verify failed/)
  t.strictSame(port.received, [])
  await waitUntil(() => port.open() === 0)
})

t.test('Ctrl-C in psql arrives as a CancelRequest with the key it was given', withPsql, async (t) => {
  const key = Buffer.from([1, 2, 3, 4])
  const port = await openPort(t, {
    onClient: ({ stream }) => {
      stream.write(Buffer.concat([authenticationOk, encodeBackendKeyData(7, key), encodeReadyForQuery('I')]))
      stream.once('data', () => child.kill('SIGINT')) // its query, which never ends
    },
  })
  const target = `host=localhost port=${port.listener.port} user=alice dbname=shop sslmode=require`
  const child = spawn('psql', ['-w', '-X', '-c', 'select pg_sleep(9)', target], {
    env: { PATH: process.env.PATH, PGPASSWORD: token },
    stdio: 'ignore',
  })
  t.teardown(() => child.kill('SIGKILL'))
  await waitUntil(() => port.received.length === 2)
  t.match(port.received[1], { kind: 'cancel', ask: { id: 7, key } })
})

t.test('node-postgres signs in both ways', async (t) => {
  const port = await openPort(t)
  for (const user of [`t_${tokenId}`, 'alice']) {
    const client = new Client({
      host: 'localhost',
      port: port.listener.port,
      user,
      password: token,
      database: 'shop',
      ssl: { ca: port.ca },
      enableChannelBinding: true,
    })
    client.on('error', () => {})
    const error: unknown = await client.connect().catch((refused: unknown) => refused)
    t.ok(error instanceof DatabaseError)
    t.match(error, { code: '57P03', message: new RegExp(scriptedEnd) })
  }
  t.strictSame(port.claims, [
    { by: 'proof', tokenId },
    { by: 'token', token },
  ])
})
