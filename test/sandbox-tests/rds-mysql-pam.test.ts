import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import t from 'tap'
import { startAws } from '../sandbox/aws.ts'
import { createAuthority } from '../sandbox/certificates.ts'
import { createClock } from '../sandbox/clock.ts'
import { accounts, createWorld, mysqlInstances, region } from '../sandbox/default-world.ts'
import { skipWithoutPam, startPamMariaDb } from '../sandbox/mysql/pam.ts'
import { startRdsMySql } from '../sandbox/mysql/rds-mysql.ts'
import { rawTls, responsePacket } from './mysql-raw.ts'
import { signedToken } from './rds-tokens.ts'

const absent = skipWithoutPam()
if (absent) t.plan(0, absent)
else await testPam()

async function testPam(): Promise<void> {
  const clock = createClock()
  const aws = await startAws({ world: createWorld(), clock })
  t.teardown(() => aws.close())
  const authority = createAuthority()
  const { endpoint: host, resourceId } = mysqlInstances.shop
  const endpoint = { host, port: 3306, region, account: accounts.data, partition: 'aws', resourceId }
  const database = await startPamMariaDb({ endpoint, certificate: authority.issue([host]), tokens: aws.rdsTokens })
  t.teardown(() => database.close())
  const { asked } = database

  const login = (password: string, user = 'sallyport_ro') =>
    createConnection({
      host,
      stream: () => connectPlain(database.port, '127.0.0.1'),
      user,
      password,
      database: 'orders',
      enableCleartextPlugin: true,
      ssl: { ca: authority.cert, verifyIdentity: true },
    })

  t.test('MariaDB itself asks for the token, whole, and lets in whom it names', async (t) => {
    const token = await signedToken(aws.url, { host, port: 3306 })
    const connection = await login(token)
    const [rows] = await connection.query<RowDataPacket[]>('select current_user() as who, count(*) as n from orders')
    t.strictSame([...rows], [{ who: 'sallyport_ro@%', n: 600 }])
    await connection.end()
    t.strictSame(asked.at(-1), { user: 'sallyport_ro', tokenBytes: token.length, reason: '' })
    t.ok(token.length > 600, `${token.length} bytes, more than pam_exec takes`)
  })

  t.test('it refuses as the double does: another user’s token, an old one, none', async (t) => {
    const denied = { code: 'ER_ACCESS_DENIED_ERROR' }
    const token = await signedToken(aws.url, { host, port: 3306 })
    await t.rejects(login(token, 'sallyport_rw'), denied)
    t.match(asked.at(-1)?.reason, /for the user sallyport_ro/)
    await t.rejects(login('hunter2'), denied)
    t.match(asked.at(-1)?.reason, /not a token/)
    clock.advance(901_000)
    await t.rejects(login(token), denied)
    t.match(asked.at(-1)?.reason, /expired/)
    clock.advance(-901_000)
  })

  t.test('the double says byte for byte what MariaDB says, up to the password', async (t) => {
    const certificate = authority.issue([host])
    const double = await startRdsMySql({
      endpoint,
      certificate,
      tokens: aws.rdsTokens,
      mariadb: database.mariadb,
      clock,
    })
    t.teardown(() => double.close())
    const answerTo = async (port: number, plugin: string) => {
      const secure = await rawTls(port, { ca: authority.cert, servername: host })
      secure.write(responsePacket(2, 'sallyport_ro', '', plugin))
      const [answer] = (await once(secure, 'data')) as [Buffer]
      secure.destroy()
      return answer.toString('latin1')
    }
    for (const plugin of ['mysql_native_password', 'caching_sha2_password']) {
      const switched = await answerTo(database.port, plugin)
      t.match(switched, /mysql_clear_password/, plugin)
      t.equal(await answerTo(double.listenPort, plugin), switched, plugin)
    }
    const atOnce = await answerTo(database.port, 'mysql_clear_password')
    t.match(atOnce, /#28000Access denied/, 'an empty answer of the right plugin is the password')
    // The last word is the server's own: PAM does not tell it whether there was one.
    t.equal((await answerTo(double.listenPort, 'mysql_clear_password')).slice(4, 70), atOnce.slice(4, 70))
  })
}
