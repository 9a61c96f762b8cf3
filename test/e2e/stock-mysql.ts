/** Programs of stock MySQL drivers: each signs in, asks plainly and by a prepared statement, and inserts a batch of three rows. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { startCommand } from '../sandbox/commands.ts'
import { isInstalled, pythonWith, skipWithoutPhp, skipWithoutPython } from '../sandbox/programs.ts'

/** Where a client is told to go. */
export interface Place {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  /** PEM file; null: no TLS, on loopback. */
  readonly ca: string | null
}

/** Runs a client. @param word of the rows that it inserts @returns the two counts that it was given @throws Error what it said */
export type StockClient = (place: Place, word: string) => Promise<string>

const plain = 'select count(*) from orders.orders'
const prepared = 'select count(*) from orders.customers where city = ?'
const batch = 'insert into samples.imported values (?, ?)'

const mysql2: StockClient = async ({ host, port, user, password, ca }, word) => {
  const ssl = ca === null ? {} : { ssl: { ca: readFileSync(ca) } }
  const connection = await createConnection({ host, port, user, password, rowsAsArray: true, ...ssl })
  const one = async (rows: Promise<[RowDataPacket[], unknown]>) => String((await rows)[0][0]?.[0])
  try {
    const counts = [one(connection.query(plain)), one(connection.execute(prepared, ['Antwerp']))]
    const told = (await Promise.all(counts)).join(' ')
    for (const id of [1, 2, 3]) await connection.execute(batch, [id, word])
    return told
  } finally {
    await connection.end()
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
k.execute('${plain}'); plain = k.fetchone()[0]
k.execute('${prepared.replace('?', '%s')}', ('Antwerp',)); prepared = k.fetchone()[0]
k.executemany('${batch.replaceAll('?', '%s')}', [(i, e['WORD']) for i in (1, 2, 3)])
c.ping(); print(plain, prepared)`,
  ])(place, word)

const php: StockClient = (place, word) =>
  run('php', [
    '-r',
    `mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT); $c = mysqli_init(); $tls = getenv('CA') !== '';
if ($tls) mysqli_ssl_set($c, null, null, getenv('CA'), null, null);
mysqli_real_connect($c, getenv('HOST'), getenv('WHO'), getenv('SECRET'), '', (int) getenv('PORT'), null, $tls ? MYSQLI_CLIENT_SSL : 0);
$plain = $c->query('${plain}')->fetch_row()[0];
$s = $c->prepare('${prepared}'); $city = 'Antwerp'; $s->bind_param('s', $city); $s->execute(); $s->bind_result($n); $s->fetch(); $s->close();
$s = $c->prepare('${batch}'); $word = getenv('WORD');
foreach ([1, 2, 3] as $i) { $s->bind_param('is', $i, $word); $s->execute(); }
echo "$plain $n\\n";`,
  ])(place, word)

/** Without `mysql_ssl_optional` this driver refuses, where it was built with MariaDB’s library. */
const perl: StockClient = (place, word) =>
  run('perl', [
    '-e',
    `use DBI; my $tls = $ENV{CA} ? ";mysql_ssl=1;mysql_ssl_optional=1;mysql_ssl_ca_file=$ENV{CA};mysql_ssl_verify_server_cert=1" : '';
my $c = DBI->connect("DBI:mysql:host=$ENV{HOST};port=$ENV{PORT};mysql_server_prepare=1$tls", $ENV{WHO}, $ENV{SECRET}, {RaiseError => 1});
my ($plain) = $c->selectrow_array('${plain}');
my ($n) = $c->selectrow_array('${prepared}', undef, 'Antwerp');
my $s = $c->prepare('${batch}'); $s->execute($_, $ENV{WORD}) for 1 .. 3;
print "$plain $n\\n"`,
  ])(place, word)

export const jar = '/usr/share/java/mariadb-java-client.jar'

const connectorJ: StockClient = async (place, word) => {
  return await runJdbc(jdbcUrl(place, 'useServerPrepStmts=true'), place, word)
}

/** @param more options */
export function jdbcUrl({ host, port, ca }: Place, more: string): string {
  const tls = ca === null ? 'sslMode=disable' : `useSsl=true&serverSslCert=${ca}`
  return `jdbc:mariadb://${host}:${port}/?${tls}&${more}`
}

const jdbc = `try (var c = DriverManager.getConnection(e.get("URL"), p)) {
      var plain = c.createStatement().executeQuery("${plain}"); plain.next();
      var s = c.prepareStatement("${prepared}"); s.setString(1, "Antwerp"); var n = s.executeQuery(); n.next();
      var b = c.prepareStatement("${batch}");
      for (int i = 1; i <= 3; i++) { b.setInt(1, i); b.setString(2, e.get("WORD")); b.addBatch(); }
      b.executeBatch();
      System.out.println(plain.getString(1) + " " + n.getString(1));
    }`

/** @param url as a snippet has it @param body that prints; `e` is the environment, `p` who signs in */
export async function runJdbc(url: string, place: Place, word: string, body = jdbc): Promise<string> {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'sallyport-java-'))
  const source = path.join(dir, 'SallyportClient.java')
  writeFileSync(
    source,
    `import java.sql.*;
class SallyportClient {
  public static void main(String[] a) throws Exception {
    var e = System.getenv();
    var p = new java.util.Properties();
    p.setProperty("user", e.get("WHO")); p.setProperty("password", e.get("SECRET"));
    ${body}
  }
}`,
  )
  try {
    return await run('java', ['-cp', jar, source], { URL: url })(place, word)
  } finally {
    rmSync(dir, { recursive: true })
  }
}

export function run(program: string, args: readonly string[], more: NodeJS.ProcessEnv = {}): StockClient {
  return async ({ host, port, user, password, ca }, word) => {
    const place = { HOST: host, PORT: String(port), WHO: user, SECRET: password, CA: ca ?? '', WORD: word }
    const { code, stdout, stderr } = await startCommand(program, args, { ...process.env, ...place, ...more }).ended
    if (code !== 0) throw new Error(stderr)
    return stdout.trim()
  }
}

/** @throws Error in `.ci/long`, which has them all */
function skipUnless(isThere: boolean, what: string): string | false {
  if (isThere) return false
  if (process.env.SALLYPORT_CLIENTS === 'true') throw new Error(`${what} is not installed`)
  return `${what} is not installed`
}

const hasPerl = spawnSync('perl', ['-MDBD::mysql', '-e', '1']).status === 0
const hasJava = existsSync(jar) && isInstalled('javac')
export const skipJava = skipUnless(hasJava, 'MariaDB Connector/J')

export const stockClients: readonly (readonly [name: string, client: StockClient, skip: string | false])[] = [
  ['mysql2', mysql2, false],
  ['PyMySQL', pymysql, skipWithoutPython('pymysql')],
  ['PHP mysqlnd', php, skipWithoutPhp('mysqli')],
  ['DBD::mysql', perl, skipUnless(hasPerl, 'DBD::mysql')],
  ['MariaDB Connector/J', connectorJ, skipJava],
]
