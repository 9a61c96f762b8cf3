/**
 * Clients may choose a character set in which a backslash is the end of a letter, or another byte a blank, and keep the server from
 * telling it. Statements that a real MariaDB reads so have no secret on record, and no KILL in them gets through.
 */
import t from 'tap'
import { skipWithoutMariaDb } from '../../sandbox/mysql/mariadb.ts'
import { waitUntil } from '../../wait-until.ts'
import { startEngine } from './engine-fixture.ts'

const gbk = "set @a = '\xbf\\', @password = 'S3cret' -- '"
const sjis = "set @a = '\x81\\' ' \xb1\\' \x81\\', @password = 'S3cret' -- '"
const assignments: readonly (readonly [charset: string, sql: string])[] = [
  ['gbk', gbk],
  ['big5', gbk],
  ['sjis', sjis],
  ['cp932', sjis],
  ['latin1', "set\xa0@password\xa0=\xa0'S3cret'"],
  ['cp852', "set\xff@password\xff=\xff'S3cret'"],
  ['cp850', "set @a = 1--\xa0, @password = 'S3cret'".replace('\xa0', '\xa01')],
]
const noSuchThread = 4_000_000_000
const kills: readonly (readonly [charset: string, sql: string])[] = [
  ['gbk', `select '\xbf\\'; kill ${noSuchThread}; -- '`],
  ['sjis', `select '\x81\\' ' \xb1\\' \x81\\'; kill ${noSuchThread}; -- '`],
  ['latin1', `select 1; kill\xa0${noSuchThread}`],
  ['cp866', `select 1; kill\xff${noSuchThread}`],
]

const absent = skipWithoutMariaDb()
if (absent) t.plan(0, absent)
else await testCharsets()

async function testCharsets(): Promise<void> {
  const engine = await startEngine()
  t.teardown(() => engine.close())
  const { mariadb, seen } = engine
  /** Bytes as they are in a text of Latin-1, whatever the server takes them for. */
  const latin1 = { charset: 'LATIN1_SWEDISH_CI', multipleStatements: true }
  const untold = async (charset: string, connection: Awaited<ReturnType<typeof engine.connect>>) => {
    await connection.query("set @@session_track_system_variables = ''")
    await connection.query(`set names ${charset}`)
  }

  t.test('a secret', async (t) => {
    for (const [charset, sql] of assignments) {
      const connection = await engine.connect(t, latin1)
      await untold(charset, connection)
      await connection.query(sql).catch((error: Error) => t.match(error.message, /Unknown column/, 'cp850'))
      const [rows] = await connection.query('select @password as found')
      if (charset !== 'cp850') t.match(rows, [{ found: 'S3cret' }], `${charset}: it was read so`)
      await connection.end()
      await waitUntil(() => seen.ends.length === seen.asks.length, 'its recording is whole')
      t.notMatch(JSON.stringify(seen.entries), /S3cret/, charset)
    }
  })

  t.test('a KILL', async (t) => {
    for (const [charset, sql] of kills) {
      const connection = await engine.connect(t, latin1)
      await untold(charset, connection)
      await t.rejects(connection.query(sql), { errno: 1235, message: /KILL must be a statement of its own/ })
      await connection.end()
    }
    t.equal((await mariadb.query("show global status like 'Com_kill'"))[0]?.Value, '0', 'none came through')
  })
}
