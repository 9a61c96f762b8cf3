/** What keeps a level from writing: the rights of the database user, which no way leads around. Settings are defaults. */
import { Client } from 'pg'
import t, { type Test } from 'tap'
import { startEngine } from './engine-fixture.ts'

const write = "INSERT INTO customers VALUES (9001, 'written', 'written@example.net', 'Cork', now())"

/** What may be between a reader and a write; each is one session. */
const ways: Readonly<Record<string, readonly string[]>> = {
  'as it is': [write],
  'SET default_transaction_read_only': ['SET default_transaction_read_only = off', write],
  'SET SESSION CHARACTERISTICS': ['SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE', write],
  'BEGIN READ WRITE': ['BEGIN READ WRITE', write, 'COMMIT'],
  set_config: ["SELECT set_config('default_transaction_read_only', 'off', false)", write],
  'several statements at once': [`SET default_transaction_read_only = off; ${write}`],
  'a text that is prepared': [`PREPARE p AS ${write}`, 'EXECUTE p'],
  'an anonymous block': [
    `SET default_transaction_read_only = off`,
    `DO $$ BEGIN EXECUTE '${write.replaceAll("'", "''")}'; END $$`,
  ],
  'another role': ['SET ROLE sallyport_rw', write],
  'another authorization': ['SET SESSION AUTHORIZATION sallyport_rw', write],
  'COPY FROM a program': ["COPY customers FROM PROGRAM 'echo'"],
  'COPY TO a file': ["COPY customers TO '/tmp/sallyport-written'"],
  'a large object from a file': ["SELECT lo_import('/etc/hostname')"],
  'a table of one’s own': ['CREATE TABLE mine (id int)'],
  'a locked row': ['SELECT 1 FROM customers WHERE id = 1 FOR UPDATE'],
}

const engine = await startEngine({ route: { user: 'sallyport_ro' } })
t.teardown(() => engine.close())

async function connect(t: Test): Promise<Client> {
  const client = new Client({ host: '127.0.0.1', port: engine.port, user: 'anyone', database: 'orders' })
  client.on('error', () => {})
  t.teardown(() => client.end().catch(() => {}))
  await client.connect()
  return client
}

t.test('a database user that may only read: no way leads around it', async (t) => {
  for (const [way, statements] of Object.entries(ways)) {
    const client = await connect(t)
    let refusal: { code?: string } | undefined
    for (const sql of statements)
      refusal ??= await client.query(sql).then(
        () => undefined,
        (error: { code?: string }) => error,
      )
    t.equal(refusal?.code, '42501', way)
    await client.end()
  }
  const { rows } = await engine.postgres.query('orders', 'SELECT count(*)::int AS n FROM customers')
  t.match(rows, [{ n: 200 }])
})
