import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { ClientSettings } from '../../../../proxy/local/client-settings.ts'
import { mysqlSettings } from '../../../../proxy/local/mysql/client-settings.ts'
import { optionGroup } from '../../../../proxy/local/mysql/option-file.ts'
import { isInstalled, pythonWith, skipWithout } from '../../../sandbox/programs.ts'
import { type Opened, run } from '../open-port.ts'
import { openMysql } from './open-mysql.ts'

t.setTimeout(120_000)

const { format, forms } = mysqlSettings
const withMariadb = { skip: skipWithout('mariadb') }

const local: ClientSettings = {
  name: 'orders',
  host: '127.0.0.1',
  port: 6306,
  database: 'shop',
  user: 'sallyport',
  password: 'S3cret',
  sslmode: 'disable',
}
const remote: ClientSettings = {
  ...local,
  host: 'db.example.com',
  user: 't_abc',
  sslmode: 'verify-full',
  sslrootcert: '/etc/my ca.pem',
}
const socket: ClientSettings = { ...local, host: '/run/user/1/sallyport-x', port: 3306, password: null }

t.test('each form says where, and the password apart', async (t) => {
  const place = '--protocol=TCP --host=127.0.0.1 --port=6306 --user=sallyport'
  const note = '\n# password: export MYSQL_PWD=S3cret'
  t.equal(format(local, 'mysql'), `mysql ${place} --ssl-mode=DISABLED shop${note}`)
  t.equal(format(local, 'mariadb'), `mariadb ${place} --skip-ssl shop${note}`)
  t.equal(format(local, 'url'), 'mysql://sallyport@127.0.0.1:6306/shop\n# password: S3cret')
  t.equal(format(local, 'jdbc'), 'jdbc:mysql://127.0.0.1:6306/shop?user=sallyport&sslMode=DISABLED\n# password: S3cret')
  t.equal(
    format(local, 'env'),
    'export MYSQL_HOST=127.0.0.1\nexport MYSQL_TCP_PORT=6306\nexport MYSQL_USER=sallyport\nexport MYSQL_DATABASE=shop\nexport MYSQL_PWD=S3cret',
  )
  t.equal(
    format(local, 'my.cnf'),
    '[client]\nprotocol="TCP"\nhost="127.0.0.1"\nport="6306"\nuser="sallyport"\npassword="S3cret"\n[mysql]\ndatabase="shop"\n[client-mariadb]\nskip-ssl',
  )
  t.equal(
    format(local, 'dbeaver'),
    "dbeaver -con 'driver=mysql8|name=orders|host=127.0.0.1|port=6306|database=shop|user=sallyport|prop.sslMode=DISABLED|savePassword=false|connect=true'\n# password: S3cret",
  )
})

t.test('no form puts the password into a command or a URL', async (t) => {
  for (const form of forms) {
    const lines = format(local, form).split('\n')
    const commands = lines.filter((text) => !/^(#|export MYSQL_PWD=|password=)/.test(text))
    t.notMatch(commands.join('\n'), 'S3cret', form)
  }
})

t.test('towards the broker itself the certificate is verified', async (t) => {
  t.match(format(remote, 'mysql'), " --ssl-mode=VERIFY_IDENTITY '--ssl-ca=/etc/my ca.pem' shop")
  t.match(format(remote, 'mariadb'), " --ssl --ssl-verify-server-cert '--ssl-ca=/etc/my ca.pem' shop")
  t.match(format(remote, 'url'), '/shop?ssl-mode=VERIFY_IDENTITY&ssl-ca=%2Fetc%2Fmy%20ca.pem\n')
  t.match(format(remote, 'jdbc'), '&sslMode=VERIFY_IDENTITY\n')
  t.match(format(remote, 'my.cnf'), '[client-mariadb]\nssl\nssl-verify-server-cert\nssl-ca="/etc/my ca.pem"\n')
  t.match(format(remote, 'dbeaver'), '|prop.sslMode=VERIFY_IDENTITY|')
})

t.test('a Unix socket is named by its path and has no password; Java cannot use it', async (t) => {
  const path = '/run/user/1/sallyport-x/mysql-3306.sock'
  t.equal(format(socket, 'mysql'), `mysql --protocol=SOCKET --socket=${path} --user=sallyport --ssl-mode=DISABLED shop`)
  t.match(format(socket, 'url'), 'mysql://sallyport@localhost/shop?socket=%2Frun%2Fuser')
  t.match(format(socket, 'env'), `export MYSQL_UNIX_PORT=${path}\n`)
  t.notMatch(format(socket, 'my.cnf'), 'password')
  for (const form of ['jdbc', 'dbeaver']) t.throws(() => format(socket, form), /--socket/)
})

t.test('no database is chosen where there is none', async (t) => {
  const none = { ...local, database: '' }
  t.match(format(none, 'mysql'), /--ssl-mode=DISABLED\n/)
  t.match(format(none, 'url'), ':6306/\n')
  for (const form of ['env', 'my.cnf', 'dbeaver']) t.notMatch(format(none, form), /database/i, form)
})

t.test('names are quoted, and those that would be more than a name are refused', async (t) => {
  t.match(format({ ...local, database: "a b'c/d" }, 'url'), ':6306/a%20b%27c%2Fd\n')
  t.match(format({ ...local, database: "a b'c" }, 'mysql'), " 'a b'\\''c'\n")
  for (const form of forms) t.throws(() => format({ ...local, database: 'x\nuser=evil' }, form), /control characters/)
  t.throws(() => format({ ...local, database: 'x|user=evil' }, 'dbeaver'), /with \|/)
  t.throws(() => optionGroup('client', [['user', 'x\ny']]), /control characters/)
})

t.test('clients read the values of an option file as they were', withMariadb, async (t) => {
  for (const value of [
    'a#b',
    ' blanks ',
    'quote"and\'quote',
    'back\\slash\\n',
    '"#"',
    ';x',
    '\\',
    'täg',
    '!include x',
  ]) {
    const file = join(t.testdir({}), 'my.cnf')
    await writeFile(
      file,
      `${optionGroup('client', [
        ['user', value],
        ['port', '1'],
      ])}\n`,
      { mode: 0o600 },
    )
    const ran = await run('my_print_defaults', [`--defaults-file=${file}`, 'client'])
    t.equal(ran.stdout, `--user=${value}\n--port=1\n`, value)
  }
})

/** As it would be pasted, with the port and the password of one that listens. */
async function pasted(t: Test, form: string): Promise<{ opened: Opened; text: string }> {
  const opened = await openMysql(t)
  const { port, password } = opened
  return { opened, text: format({ ...local, host: port.host, port: port.port, password }, form) }
}

const queried = ' --batch --skip-column-names --execute="row pasted"'

t.test('the command and the environment work as they are pasted', withMariadb, async (t) => {
  for (const form of ['mariadb', 'env']) {
    const { opened, text } = await pasted(t, form)
    const [first = '', ...rest] = text.split('\n')
    const command =
      form === 'env'
        ? `${text}\nmariadb -u$MYSQL_USER${queried} $MYSQL_DATABASE`
        : `${rest.join('').slice('# password: '.length)}\n${first}${queried}`
    t.same(await run('sh', ['-c', command]), { code: 0, stdout: 'pasted\n', stderr: '' }, form)
    t.match(opened.broker.logins, [{ user: 'sallyport', database: 'shop' }])
  }
})

t.test('the option file works as it is pasted', withMariadb, async (t) => {
  const { opened, text } = await pasted(t, 'my.cnf')
  const file = join(t.testdir({ 'my.cnf': `${text}\n` }), 'my.cnf')
  const ran = await run('sh', ['-c', `mariadb --defaults-file='${file}'${queried}`])
  t.same(ran, { code: 0, stdout: 'pasted\n', stderr: '' })
  t.match(opened.broker.logins, [{ user: 'sallyport', database: 'shop' }])
  const admin = await run('mariadb-admin', [`--defaults-file=${file}`, 'ping'])
  t.match(admin, { code: 0, stdout: 'mysqld is alive\n' }, 'another program that reads [client]')
  const python = pythonWith('pymysql')
  if (python === undefined) return
  const script = `import pymysql; c = pymysql.connect(read_default_file='${file}', port=${opened.port.port}).cursor(); c.execute('row py'); print(c.fetchone()[0])`
  t.match(await run(python, ['-c', script]), { code: 0, stdout: 'py\n' })
})

const jar = '/usr/share/java/mariadb-java-client.jar'
const hasJdbc = isInstalled('javac', '-version') && existsSync(jar)
const withJava = { skip: skipWithout('mariadb') || (hasJdbc ? false : 'javac or MariaDB Connector/J is not installed') }

t.test('the JDBC URL signs in as it is pasted', withJava, async (t) => {
  const { opened, text } = await pasted(t, 'jdbc')
  const [url = '', note = ''] = text.split('\n')
  const source = `public class Paste {
  public static void main(String[] args) throws Exception {
    var password = new java.util.Properties();
    password.put("password", args[1]);
    Class.forName("org.mariadb.jdbc.Driver");
    java.sql.DriverManager.getConnection(args[0], password);
  }
}`
  const file = join(t.testdir({ 'Paste.java': source }), 'Paste.java')
  // Its next statement is more than the broker here understands, so that the login is all there is to see.
  await run('java', ['-cp', jar, file, url, note.slice('# password: '.length)])
  t.match(opened.broker.logins, [{ user: 'sallyport', database: 'shop', answerBytes: 32 }])
})
