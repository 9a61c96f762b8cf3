/** Stock clients sign in to the port as they come, with no option but those of TLS. */
import { spawnSync } from 'node:child_process'
import { createConnection } from 'mysql2/promise'
import t from 'tap'
import { startCommand } from '../../../sandbox/commands.ts'
import { pythonWith, skipWithout, skipWithoutPhp, skipWithoutPython } from '../../../sandbox/programs.ts'
import { openPort, type Port, scriptedEnd, token, tokenId } from '../port.ts'

const users = [`t_${tokenId}`, 'alice@example.com'] as const
type Attempt = (port: Port, user: string, password: string) => Promise<string>

const quote = (text: string) => JSON.stringify(text)

const mariadb: Attempt = async ({ listener, caFile }, user, password) => {
  const where = ['--protocol=tcp', '-h', '127.0.0.1', '-P', String(listener.port)]
  const tls = [`--ssl-ca=${caFile}`, '--ssl-verify-server-cert']
  const args = ['--no-defaults', ...where, ...tls, '-u', user, '-e', 'select 1']
  return (await startCommand('mariadb', args, { ...process.env, MYSQL_PWD: password }).ended).stderr
}

const pymysql: Attempt = async ({ listener, caFile }, user, password) => {
  const options = `host='127.0.0.1', port=${listener.port}, user=${quote(user)}, password=${quote(password)}`
  const script = `import pymysql; pymysql.connect(${options}, ssl={'ca': ${quote(caFile)}})`
  return (await startCommand(pythonWith('pymysql') ?? '', ['-c', script], process.env).ended).stderr
}

const php: Attempt = async ({ listener, caFile }, user, password) => {
  const script = `mysqli_report(MYSQLI_REPORT_OFF); $c = mysqli_init();
    mysqli_ssl_set($c, null, null, ${quote(caFile)}, null, null);
    @mysqli_real_connect($c, '127.0.0.1', ${quote(user)}, ${quote(password)}, '', ${listener.port}, null, MYSQLI_CLIENT_SSL);
    fwrite(STDERR, mysqli_connect_errno() . ' ' . mysqli_connect_error());`
  return (await startCommand('php', ['-r', script], process.env).ended).stderr
}

const perl: Attempt = async ({ listener, caFile }, user, password) => {
  const source = `DBI:mysql:host=127.0.0.1;port=${listener.port};mysql_ssl=1;mysql_ssl_optional=1;mysql_ssl_ca_file=${caFile};mysql_ssl_verify_server_cert=1`
  const script = `use DBI; DBI->connect(q{${source}}, q{${user}}, q{${password}}, {PrintError => 0}) or print STDERR DBI->err . q{ } . DBI->errstr`
  return (await startCommand('perl', ['-e', script], process.env).ended).stderr
}

const mysql2: Attempt = async ({ listener, ca }, user, password) => {
  const connecting = createConnection({ host: '127.0.0.1', port: listener.port, user, password, ssl: { ca } })
  return await connecting.then(
    (connection) => {
      connection.destroy()
      return 'connected'
    },
    (error: Error & { errno?: number; sqlState?: string }) => `${error.errno} ${error.sqlState} ${error.message}`,
  )
}

const perlSkip = spawnSync('perl', ['-MDBD::mysql', '-e', '1']).status === 0 ? false : 'DBD::mysql is not installed'

const clients: [name: string, attempt: Attempt, skip: string | false][] = [
  ['mariadb', mariadb, skipWithout('mariadb')],
  ['PyMySQL', pymysql, skipWithoutPython('pymysql')],
  ['PHP mysqlnd', php, skipWithoutPhp('mysqli')],
  ['DBD::mysql', perl, perlSkip],
  ['mysql2', mysql2, false],
]

for (const [name, attempt, skip] of clients)
  t.test(`${name} signs in by either kind of user name, and shows what is wrong`, { skip }, async (t) => {
    const port = await openPort(t)
    for (const user of users) t.match(await attempt(port, user, token), scriptedEnd, user)
    t.same(port.claims, [
      { by: 'proof', tokenId },
      { by: 'token', token },
    ])
    for (const user of users) {
      const said = await attempt(port, user, `${token}x`)
      t.match(said, /1045/, user)
      t.match(said, /sallyport connect RESOURCE --token/)
    }
    t.same(port.failures, ['TOKEN_INVALID', 'TOKEN_INVALID'])
  })

t.test('mysql2 without TLS is told by number', async (t) => {
  const port = await openPort(t)
  const { port: number } = port.listener
  const attempt = createConnection({ host: '127.0.0.1', port: number, user: users[0], password: token })
  t.match(await attempt.catch((error: unknown) => error), { errno: 3159, sqlState: 'HY000' })
})
