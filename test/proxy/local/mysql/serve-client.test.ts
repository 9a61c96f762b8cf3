/** The local port of MySQL, with the clients that people have, in front of a broker that is played. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { makeSocketDirectory } from '../../../../proxy/local/local-port.ts'
import { pythonWith, skipWithout, skipWithoutPython } from '../../../sandbox/programs.ts'
import { quietFor, waitUntil } from '../../../wait-until.ts'
import { run } from '../open-port.ts'
import { mariadb, openMysql, orders } from './open-mysql.ts'

t.setTimeout(120_000)

const withMariadb = { skip: skipWithout('mariadb') }
const withPymysql = { skip: skipWithoutPython('pymysql') }

t.test('mariadb with the right password reaches the broker, which has its login as it is', withMariadb, async (t) => {
  const { broker, port, password, ends } = await openMysql(t)
  t.same(await mariadb(port, password, '-e', 'row hello', 'shop'), { code: 0, stdout: 'hello\n', stderr: '' })
  t.same(broker.asked, [
    { query: { resource: orders, level: 'readonly', tool: 'unnamed' }, authorization: 'Bearer bearer-of-alice' },
  ])
  t.match(broker.logins, [{ user: 'sallyport', database: 'shop', answerBytes: 32 }])
  t.match(broker.logins[0]?.attributes, 'program_name')
  await waitUntil(() => ends.length === 1, 'the session has ended')
  t.equal(ends[0]?.code, 1000)
  await waitUntil(() => broker.sockets.size === 0, 'nothing is left behind')
})

t.test('without the right password nothing of a login reaches the broker', withMariadb, async (t) => {
  const { broker, port, refusals } = await openMysql(t)
  for (const password of ['guess', undefined]) {
    const ran = await mariadb(port, password, '-e', 'row hello')
    t.equal(ran.code, 1)
    t.match(ran.stderr, 'ERROR 1045 (28000): password authentication failed for this local port')
  }
  t.match(refusals, [{ code: 'TOKEN_INVALID' }, { code: 'TOKEN_INVALID' }])
  t.same(broker.logins, [])
  await waitUntil(() => broker.sockets.size === 0, 'what was asked for the greeting is closed')
})

t.test(
  'a client that answers by another plugin is asked again, by the scramble of the broker',
  withMariadb,
  async (t) => {
    const { broker, port, password } = await openMysql(t)
    const native = ['--default-auth=mysql_native_password', '-e', 'row native']
    t.equal((await mariadb(port, password, ...native)).stdout, 'native\n')
    t.match(broker.logins, [{ plugin: 'mysql_native_password', answerBytes: 32 }])
    const wrong = await mariadb(port, 'guess', ...native)
    t.match(wrong.stderr, 'ERROR 1045 (28000): password authentication failed')
    t.equal(broker.logins.length, 1)
  },
)

t.test('a password in clear is taken when it is right, and never asked for', withPymysql, async (t) => {
  const { broker, port, password } = await openMysql(t)
  const login = (text: string) => rawLogin(port.port, 'mysql_clear_password', Buffer.from(`${text}\0`))
  t.match(await login('guess'), { number: 1045 })
  t.match(await login(password), { number: 0 })
  t.equal(broker.logins.length, 1)
})

t.test('PyMySQL signs in and can say more than once', withPymysql, async (t) => {
  const { port, password, broker } = await openMysql(t)
  const script = `
import os, pymysql
db = pymysql.connect(host='127.0.0.1', port=${port.port}, user='sallyport', password=os.environ['PASSWORD'], database='shop')
with db.cursor() as c:
    for text in ('one', 'two'):
        c.execute('row ' + text)
        print(c.fetchone()[0])
db.close()
try:
    pymysql.connect(host='127.0.0.1', port=${port.port}, user='sallyport', password='guess')
except pymysql.err.OperationalError as error:
    print(error.args[0])
`
  const ran = await run(pythonWith('pymysql') ?? '', ['-c', script], { PASSWORD: password })
  t.same(ran, { code: 0, stdout: 'one\ntwo\n1045\n', stderr: '' })
  t.match(broker.logins, [{ database: 'shop', answerBytes: 32 }])
})

t.test('Ctrl-C stops the statement, by the number that the broker gave', withMariadb, async (t) => {
  const { broker, port, password } = await openMysql(t)
  const args = ['--no-defaults', '--host=127.0.0.1', `--port=${port.port}`, '--user=sallyport', '-e', 'wait']
  const child = spawn('mariadb', args, { env: { PATH: process.env.PATH, MYSQL_PWD: password } })
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  await waitUntil(() => broker.waiting.size === 1, 'it waits')
  child.kill('SIGINT')
  await once(child, 'exit')
  t.match(stderr, 'ERROR 1317 (70100)')
  t.equal(broker.logins.length, 2, 'a second connection said so')
})

t.test('a Unix socket in a folder of mode 0700 asks for no password', withMariadb, async (t) => {
  const directory = await makeSocketDirectory({})
  t.teardown(() => directory.remove())
  const { port, broker } = await openMysql(t, { password: null }, { directory: directory.path, port: 3306 })
  const path = join(directory.path, 'mysql-3306.sock')
  t.equal((await stat(path)).mode & 0o777, 0o600)
  const ran = await run('mariadb', ['--no-defaults', `--socket=${path}`, '-N', '-B', '-e', 'row socket'])
  t.same(ran, { code: 0, stdout: 'socket\n', stderr: '' })
  t.equal(broker.asked[0]?.query.no_password, undefined)
  await port.close()
  await t.rejects(stat(path), { code: 'ENOENT' })
})

t.test('an open port tells the broker so', withMariadb, async (t) => {
  const { port, broker } = await openMysql(t, { password: null, openPort: true })
  t.equal((await mariadb(port, undefined, '-e', 'row open')).stdout, 'open\n')
  t.equal((await mariadb(port, 'any', '-e', 'row open')).stdout, 'open\n')
  t.equal(broker.asked[0]?.query.no_password, '1')
})

t.test(
  'a refused upgrade is an error of the sign-in, with reason and hint, for who knows the password',
  withMariadb,
  async (t) => {
    const { broker, port, password, refusals } = await openMysql(t)
    const detail = 'access was not granted: no rule lets you'
    const hint = 'sallyport request orders --level readonly'
    broker.refuse = { status: 403, body: JSON.stringify({ code: 'GRANT_DENIED', detail, hint, status: 403 }) }
    const ran = await mariadb(port, password, '-e', 'row hello')
    t.equal(ran.code, 1)
    t.match(ran.stderr, `ERROR 1045 (28000): ${detail}. ${hint} (Sallyport error GRANT_DENIED)`)
    for (const more of [[], ['--default-auth=mysql_native_password']]) {
      const stranger = await mariadb(port, 'guess', ...more, '-e', 'row hello')
      t.match(stranger.stderr, 'password authentication failed')
      t.notMatch(stranger.stderr, 'no rule lets you')
    }
    t.match(refusals, [
      { code: 'GRANT_DENIED', message: detail, hint },
      { code: 'TOKEN_INVALID' },
      { code: 'TOKEN_INVALID' },
    ])
  },
)

t.test('so is a denial in the answer to the login', withMariadb, async (t) => {
  const { broker, port, password, refusals } = await openMysql(t)
  broker.deny = { sqlstate: '28000', code: 'GRANT_EXPIRED', message: 'the grant has expired' }
  const ran = await mariadb(port, password, '-e', 'row hello')
  t.match(ran.stderr, 'ERROR 1045 (28000): the grant has expired (Sallyport error GRANT_EXPIRED)')
  await waitUntil(() => refusals.length === 1, 'it was heard of')
  t.match(refusals, [{ code: 'GRANT_EXPIRED', message: 'the grant has expired' }])
})

t.test('an error of the database with such a text is none of the broker', withMariadb, async (t) => {
  const { broker, port, password, refusals } = await openMysql(t)
  broker.deny = { sqlstate: '28000', code: 'NO_SUCH_CODE', message: 'no' }
  t.equal((await mariadb(port, password, '-e', 'row hello')).code, 1)
  t.same(refusals, [])
})

t.test('a cut session ends with its reason, for the client and for us', withMariadb, async (t) => {
  const { port, password, ends } = await openMysql(t)
  const ran = await mariadb(port, password, '-e', 'cut grant-revoked')
  t.match(ran.stderr, 'ERROR 1053 (08S01) at line 1: access was revoked by bob@example.com')
  await waitUntil(() => ends.length === 1, 'the session has ended')
  t.same(ends, [{ code: 4001, reason: 'grant-revoked' }])
})

t.test('large results arrive whole', withMariadb, async (t) => {
  const { port, password } = await openMysql(t)
  const ran = await run(
    'sh',
    ['-c', `mariadb --no-defaults --quick -N -B -h127.0.0.1 -P${port.port} -usallyport -e 'big 20000' | wc -c`],
    { MYSQL_PWD: password },
  )
  t.same(ran, { code: 0, stdout: `${20_000 * 1018}\n`, stderr: '' })
})

t.test('a client that says nothing, or nonsense, is refused in time and leaves nothing behind', async (t) => {
  const { broker, port, refusals } = await openMysql(t, { signInTimeoutMs: 300 })
  const silent = connect(port.port, '127.0.0.1')
  const heard = await allFrom(silent)
  t.match(heard.toString('latin1'), /8\.0\.99-fake.*#08S01/s)
  const odd = connect(port.port, '127.0.0.1')
  const answer = allFrom(odd)
  odd.write(Buffer.from([0xff, 0xff, 0xff, 1, 0, 0]))
  t.match((await answer).toString('latin1'), /16777215 bytes during the sign-in/)
  const gone = connect(port.port, '127.0.0.1')
  await once(gone, 'data')
  gone.destroy()
  await waitUntil(() => broker.sockets.size === 0, 'no websocket is left')
  t.match(refusals, [{ code: 'HANDSHAKE_TIMEOUT' }, { code: 'PROTOCOL_ERROR' }])
  await quietFor(100, 'a refusal would come soon')
  t.equal(refusals.length, 2, 'who leaves is not refused')
})

t.test('a broker that hangs up before it greets is told as such', withMariadb, async (t) => {
  const { broker, port, password } = await openMysql(t)
  broker.hangsUp = true
  const ran = await mariadb(port, password, '-e', 'row hello')
  t.match(ran.stderr, 'ERROR 1105 (HY000): the broker closed the connection before it answered')
})

async function allFrom(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** A login by a plugin that no client of Debian's can be told to use first. @returns number of its error; 0 for OK, -1 for anything else */
async function rawLogin(port: number, plugin: string, answer: Buffer): Promise<{ number: number }> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'data')
  const head = Buffer.alloc(32)
  head.writeUInt32LE(0x0028_8201, 0) // PLUGIN_AUTH_LENENC, PLUGIN_AUTH, SECURE_CONNECTION, PROTOCOL_41, LONG_PASSWORD
  head[8] = 45
  const payload = Buffer.concat([
    head,
    Buffer.from('sallyport\0'),
    Buffer.from([answer.length]),
    answer,
    Buffer.from(`${plugin}\0`),
  ])
  socket.write(Buffer.concat([Buffer.from([payload.length, 0, 0, 1]), payload]))
  let heard = Buffer.alloc(0)
  for await (const chunk of socket) {
    heard = Buffer.concat([heard, chunk])
    const at = heard[4] === 1 ? 6 : 0 // behind AuthMoreData
    if (heard.length > at + 6)
      return { number: heard[at + 4] === 0xff ? heard.readUInt16LE(at + 5) : heard[at + 4] === 0 ? 0 : -1 }
  }
  return { number: -1 }
}
