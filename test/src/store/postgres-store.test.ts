import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import type { PostgresPlace } from '../../../src/store/place.ts'
import { openStore, pingStore, transactOn } from '../../../src/store/store.ts'
import { createAuthority } from '../../sandbox/certificates.ts'
import { startPostgres } from '../../sandbox/postgres.ts'
import { waitUntil } from '../../wait-until.ts'
import { postgresPlace, storeDatabases } from './both-stores.ts'

t.test(
  'TLS: the certificate of the server is verified; a certificate or a password of the client counts',
  async (t) => {
    const authority = createAuthority()
    const dir = mkdtempSync(join(tmpdir(), 'sallyport-store-tls-'))
    const write = (name: string, text: string) => {
      const file = join(dir, name)
      writeFileSync(file, text, { mode: 0o644 })
      return file
    }
    const ca = write('ca.pem', authority.cert)
    const hba = 'local all all trust\nhostssl all by_cert all cert\nhostssl all by_password all scram-sha-256\n'
    const settings = [`ssl_ca_file=${ca}`, `hba_file=${write('pg_hba.conf', hba)}`]
    chmodSync(dir, 0o755) // the server runs as another user
    const server = await startPostgres({ tcp: { tls: authority.issue(['localhost']) }, settings })
    t.teardown(() => server.close())
    await server.query('postgres', "create user by_cert; create user by_password password 'open sesame'")
    await server.query('postgres', 'create database of_cert owner by_cert')
    await server.query('postgres', 'create database of_password owner by_password')
    const leaf = authority.issue(['by_cert'], { of: 'client' })
    const files = { ca, cert: write('client.crt', leaf.cert), key: write('client.key', leaf.key) }
    const limits = { connections: 2, statementTimeoutMs: 5000, lockTimeoutMs: 1000 }
    const place = (more: Partial<PostgresPlace>): PostgresPlace => ({
      ...{ host: 'localhost', port: server.tcpPort ?? 0, user: 'by_cert', database: 'of_cert', password: null },
      ...{ tls: files, ...limits, ...more },
    })
    const trial = async (more: Partial<PostgresPlace>): Promise<string> => {
      try {
        const db = await openStore({ url: 'postgres://…', postgres: place(more) })
        const { rows } = await sql<{ ssl: boolean }>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`.execute(
          db,
        )
        await db.destroy()
        return `opened, TLS ${rows[0]?.ssl}`
      } catch (error) {
        return (error as Error).message
      }
    }
    const password = { user: 'by_password', database: 'of_password', tls: { ca, cert: null, key: null } }
    t.equal(await trial({}), 'opened, TLS true')
    t.equal(await trial({ ...password, password: 'open sesame' }), 'opened, TLS true')
    t.match(await trial({ ...password, password: 'hunter2' }), /password authentication failed/)
    t.match(await trial(password), /password/i, 'and none from the environment')
    t.match(await trial({ tls: { ca, cert: null, key: null } }), /certificate/)
    t.match(
      await trial({ tls: { ...files, ca: write('other.pem', createAuthority().cert) } }),
      /the certificate of the server is of an unknown authority/,
    )
    t.match(await trial({ tls: { ...files, ca: null } }), /unknown authority/, 'nor is it of one that Node knows')
    t.match(await trial({ host: '127.0.0.1' }), /does not match certificate|altnames/)
    t.match(await trial({ tls: null }), /no pg_hba.conf entry .* no encryption/)
  },
)

t.test('a database of another encoding is refused before a table is made', async (t) => {
  const { server } = await storeDatabases()
  const place = await postgresPlace()
  for (const encoding of ['LATIN1', 'SQL_ASCII']) {
    const database = `of_${encoding.toLowerCase()}`
    await server.query('postgres', `create database ${database} encoding '${encoding}' template template0`)
    await t.rejects(openStore({ ...place, postgres: { ...place.postgres, database } }), {
      code: 'STORE_UNAVAILABLE',
      message: new RegExp(`${database} is ${encoding}, not UTF8`),
      hint: /template template0/,
    })
    const { rows } = await server.query(database, "select from pg_tables where schemaname = 'public'")
    t.equal(rows.length, 0)
  }
})

t.test('connections that were ended are opened again, and what is asked beside the queue, too', async (t) => {
  const place = await postgresPlace()
  const db = await openStore(place)
  t.teardown(() => db.destroy())
  t.equal(await ping(db), 'ok')
  await (await storeDatabases()).server.query(
    'postgres',
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1',
    [place.postgres.database],
  )
  await waitUntil(async () => (await ping(db)) === 'ok')
  t.equal((await sql<{ n: number }>`select 1 + 0 as n`.execute(db)).rows[0]?.n, 1)
})

t.test('behind a network that broke, another connection is opened', async (t) => {
  const place = await postgresPlace({ statementTimeoutMs: 1000 })
  const network = await startNetwork(t, place.postgres.port)
  const db = await openStore({ ...place, postgres: { ...place.postgres, port: network.port } })
  t.teardown(() => db.destroy())
  t.equal(await ping(db), 'ok')
  network.lose()
  t.match(await ping(db), /timeout/)
  t.equal(await ping(db), 'ok', 'though the server had not noticed')
})

t.test('a statement that takes too long ends, and the connection serves the next', async (t) => {
  const db = await openStore(await postgresPlace({ statementTimeoutMs: 300, connections: 2 }))
  t.teardown(() => db.destroy())
  await t.rejects(
    db.transaction().execute(async (trx) => {
      await sql`select pg_sleep(30)`.execute(trx)
    }),
    { code: 'STORE_UNAVAILABLE', message: /statement timeout/ },
  )
  await t.rejects(sql`select pg_sleep(30)`.execute(db), { code: 'STORE_UNAVAILABLE', message: /timeout/ })
  for (let i = 0; i < 4; i++) t.equal((await sql<{ n: number }>`select ${i} + 0 as n`.execute(db)).rows[0]?.n, i)
})

t.test('a lock that is held too long, and a number that JavaScript cannot hold', async (t) => {
  const db = await openStore(await postgresPlace({ lockTimeoutMs: 200 }))
  t.teardown(() => db.destroy())
  await db.insertInto('settings').values({ key: 'a', value: '1' }).execute()
  const change = () => db.transaction().execute((trx) => trx.updateTable('settings').set({ value: '2' }).execute())
  await db.transaction().execute(async (trx) => {
    await trx.updateTable('settings').set({ value: '3' }).execute()
    await t.rejects(change(), { code: 'STORE_UNAVAILABLE', message: /lock timeout/ })
  })
  await change()
  const { rows } = await sql<{ n: number }>`select 9007199254740993::int8 as n`.execute(db)
  t.notOk(Number.isSafeInteger(rows[0]?.n), 'a number that is none of ours spoils its own row alone')
  t.equal(
    (await sql<{ n: number }>`select 9007199254740991::int8 as n`.execute(db)).rows[0]?.n,
    Number.MAX_SAFE_INTEGER,
  )
})

t.test('a connection that is lost while a transaction has it fails that one, and nothing else', async (t) => {
  const db = await openStore(await postgresPlace({ connections: 2 }))
  t.teardown(() => db.destroy())
  const lost = db.transaction().execute(async (trx) => {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx)
    await sql`select pg_terminate_backend(${rows[0]?.pid})`.execute(db)
    // Between two of its statements: nothing waits for an answer.
    await waitUntil(
      async () =>
        (await trx
          .selectFrom('settings')
          .selectAll()
          .execute()
          .catch(() => null)) === null,
    )
    await trx.selectFrom('settings').selectAll().execute()
  })
  await t.rejects(lost, { code: 'STORE_UNAVAILABLE' })
  t.same(await db.selectFrom('settings').selectAll().execute(), [])
})

t.test(
  'of what is committed at once a statement that fails leaves nothing, in whichever place it stands',
  async (t) => {
    const db = await openStore(await postgresPlace())
    t.teardown(() => db.destroy())
    const put = (key: string) => db.insertInto('settings').values({ key, value: '1' }).returning('key').compile()
    const bad = sql`select 1 / 0`.compile(db)
    const transact = transactOn(db)
    await t.rejects(
      transact([put('a'), bad], () => [put('b')]),
      { message: /division by zero/ },
    )
    await t.rejects(
      transact([put('a')], () => [put('b'), bad, put('c')]),
      { message: /division by zero/ },
    )
    await t.rejects(
      transact([put('a')], () => {
        throw new Error('refused')
      }),
      { message: 'refused' },
    )
    t.same(await db.selectFrom('settings').selectAll().execute(), [])
    await transact([put('a')], ([found]) => (found?.length === 1 ? [put('b'), put('c')] : []))
    t.equal((await db.selectFrom('settings').selectAll().execute()).length, 3)
  },
)

t.test('no server, no database, no name: said, and nothing is held open', async (t) => {
  const place = await postgresPlace()
  const of = (more: Partial<PostgresPlace>) => openStore({ ...place, postgres: { ...place.postgres, ...more } })
  await t.rejects(of({ port: 1 }), { code: 'STORE_UNAVAILABLE', message: /ECONNREFUSED/ })
  await t.rejects(of({ database: 'nowhere' }), { code: 'STORE_UNAVAILABLE', message: /"nowhere" does not exist/ })
  await t.rejects(of({ host: 'nowhere.invalid' }), { code: 'STORE_UNAVAILABLE', message: /nowhere.invalid/ })
})

async function ping(db: Parameters<typeof pingStore>[0]): Promise<string> {
  return await pingStore(db).then(
    () => 'ok',
    (error: Error) => error.message,
  )
}

/** A way to the server that can lose what passes it without a word. */
async function startNetwork(t: Pick<Test, 'teardown'>, to: number): Promise<{ port: number; lose(): void }> {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(to, '127.0.0.1')
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => undefined))
    client.pipe(upstream).pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return {
    port: (server.address() as AddressInfo).port,
    lose: () => {
      for (const socket of sockets) socket.unpipe().pause()
    },
  }
}
