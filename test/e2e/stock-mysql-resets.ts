/**
 * How stock MySQL drivers make a connection new for its next user. Each sets a variable, resets, and then tries to write and to sleep for
 * ten seconds, on a level that allows neither.
 */
import { readFileSync } from 'node:fs'
import { createPool, type PoolConnection, type RowDataPacket } from 'mysql2/promise'
import { pythonWith, skipWithoutPhp, skipWithoutPython } from '../sandbox/programs.ts'
import { jdbcUrl, run, runJdbc, type StockClient, skipJava } from './stock-mysql.ts'

const ask = 'select @mine, connection_id()'
const write = "insert into samples.imported values (1, 'written')"
const sleep = 'select sleep(10)'

/** Whether it is the same connection, its variable, and the numbers of both errors. */

export const expected = 'same null 1792 1969'

const mysql2 =
  (reset: (place: Parameters<StockClient>[0], connection: PoolConnection) => Promise<unknown>): StockClient =>
  async (place) => {
    const { host, port, user, password, ca } = place
    const ssl = ca === null ? {} : { ssl: { ca: readFileSync(ca) } }
    const where = { host, port, user, password, rowsAsArray: true, ...ssl }
    const pool = createPool({ ...where, connectionLimit: 1, resetOnRelease: true })
    const look = async (connection: PoolConnection) =>
      Object.values((await connection.query<RowDataPacket[]>(ask))[0][0] ?? {})
    const errno = (connection: PoolConnection, sql: string) =>
      connection.query(sql).then(
        () => 'none',
        (error: { errno?: number }) => error.errno,
      )
    try {
      const first = await pool.getConnection()
      await first.query("set @mine = 'x'")
      const [, before] = await look(first)
      await reset(place, first)
      first.release()
      const next = await pool.getConnection()
      const [mine, after] = await look(next)
      return `${before === after ? 'same' : 'new'} ${mine} ${await errno(next, write)} ${await errno(next, sleep)}`
    } finally {
      await pool.end()
    }
  }

const pymysql: StockClient = (place, word) =>
  run(pythonWith('pymysql') ?? '', [
    '-c',
    `import os, pymysql
e = os.environ
tls = {'ssl': {'ca': e['CA']}} if e['CA'] else {}
c = pymysql.connect(host=e['HOST'], port=int(e['PORT']), user=e['WHO'], password=e['SECRET'], autocommit=True, **tls)
k = c.cursor()
def errno(sql):
    try: k.execute(sql); return 'none'
    except pymysql.MySQLError as error: return error.args[0]
k.execute("set @mine = 'x'"); k.execute('${ask}'); before = k.fetchone()
c._execute_command(0x1f, ''); c._read_ok_packet()
k.execute('${ask}'); after = k.fetchone()
print('same' if before[1] == after[1] else 'new', 'null' if after[0] is None else after[0], errno("${write}"), errno('${sleep}'))`,
  ])(place, word)

const php: StockClient = (place, word) =>
  run('php', [
    '-r',
    `mysqli_report(MYSQLI_REPORT_OFF); $c = mysqli_init(); $tls = getenv('CA') !== '';
if ($tls) mysqli_ssl_set($c, null, null, getenv('CA'), null, null);
mysqli_real_connect($c, getenv('HOST'), getenv('WHO'), getenv('SECRET'), '', (int) getenv('PORT'), null, $tls ? MYSQLI_CLIENT_SSL : 0) or die('not in');
$c->query("set @mine = 'x'"); $before = $c->query('${ask}')->fetch_row();
$c->change_user(getenv('WHO'), getenv('SECRET'), 'orders') or die("not changed: $c->error\n");
$after = $c->query('${ask}')->fetch_row();
$errno = fn ($sql) => $c->query($sql) ? 'none' : $c->errno;
echo $before[1] === $after[1] ? 'same' : 'new', ' ', $after[0] ?? 'null', ' ', $errno("${write}"), ' ', $errno('${sleep}'), "\n";`,
  ])(place, word)

const connectorJ: StockClient = (place, word) =>
  runJdbc(
    jdbcUrl(place, 'maxPoolSize=1&useResetConnection=true'),
    place,
    word,
    `var pool = new org.mariadb.jdbc.MariaDbPoolDataSource(e.get("URL"));
    pool.setUser(e.get("WHO")); pool.setPassword(e.get("SECRET"));
    String before;
    try (var c = pool.getConnection(); var s = c.createStatement()) {
      s.execute("set @mine = 'x'"); var r = s.executeQuery("${ask}"); r.next(); before = r.getString(2);
    }
    try (var c = pool.getConnection(); var s = c.createStatement()) {
      var r = s.executeQuery("${ask}"); r.next();
      var said = (before.equals(r.getString(2)) ? "same " : "new ") + r.getString(1);
      for (var sql : new String[] {"${write}", "${sleep}"})
        try { s.execute(sql); said += " none"; } catch (SQLException error) { said += " " + error.getErrorCode(); }
      System.out.println(said);
    }
    pool.close();`,
  )

/** @param skipShared on a port of several resources */
export const resettingClients: readonly (readonly [
  name: string,
  client: StockClient,
  skip: string | false,
  skipShared?: string,
])[] = [
  ['mysql2, a pool with resetOnRelease', mysql2(async () => {}), false],
  [
    'mysql2, changeUser',
    mysql2(({ user, password }, c) => c.changeUser({ user, password, database: 'orders' })),
    false,
  ],
  ['PyMySQL, the command alone', pymysql, skipWithoutPython('pymysql')],
  ['PHP mysqli, change_user', php, skipWithoutPhp('mysqli')],
  [
    'MariaDB Connector/J, a pool with useResetConnection',
    connectorJ,
    skipJava,
    'its pool asks what is greeted as MySQL 8 for @@transaction_isolation, which MariaDB 10 lacks',
  ],
]
