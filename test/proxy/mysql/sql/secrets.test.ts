/** Which parts of a statement are recorded. In the tables « and » stand around what is not. */
import t, { type Test } from 'tap'
import { mysqlDialect } from '../../../../proxy/mysql/sql/find-secrets.ts'
import type { MysqlMode } from '../../../../proxy/mysql/sql/reading.ts'
import { mark } from '../../../../proxy/recording/redact.ts'
import { find, mariaDb, mysql8, redacted, unknown } from './redacted.ts'

const sent = (marked: string) => Buffer.from(marked.replace(/[«»]/g, ''), 'latin1')
const recorded = (marked: string) => Buffer.from(marked.replace(/«.*?»/gs, mark), 'latin1').toString('utf8')

function check(t: Test, statements: readonly string[], mode: MysqlMode): void {
  for (const marked of statements) t.equal(redacted(sent(marked), mode), recorded(marked), marked)
}

/** Statements of both servers, read by both and in all ways alike. */
const users = [
  "CREATE USER app IDENTIFIED BY «'S3cret'»",
  "create user 'app'@'%' identified by «'S3''cret'» require ssl",
  'CREATE USER IF NOT EXISTS a IDENTIFIED BY «"S3cret"», b IDENTIFIED BY «"S3""cret"» PASSWORD EXPIRE',
  "create or replace user a@'10.%' identified by «'S3cret'» with max_queries_per_hour 5",
  "ALTER USER USER() IDENTIFIED BY «'S3cret'» REPLACE «'S3cret'» RETAIN CURRENT PASSWORD",
  "ALTER USER a IDENTIFIED WITH caching_sha2_password BY «'S3cret'» PASSWORD HISTORY 5",
  "ALTER USER a IDENTIFIED WITH 'caching_sha2_password' AS «'$A$005$S3cret'» ACCOUNT UNLOCK",
  'ALTER USER a IDENTIFIED WITH caching_sha2_password AS «0x5333637265740a» DEFAULT ROLE r',
  "ALTER USER a IDENTIFIED WITH caching_sha2_password AS «X'533363726574'»",
  "CREATE USER a IDENTIFIED BY «'S3cret'» AND IDENTIFIED WITH authentication_ldap_simple BY «'S3cret'»",
  "ALTER USER a ADD 2 FACTOR IDENTIFIED BY «'S3cret'» ADD 3 FACTOR IDENTIFIED BY «'S3cret'»",
  "CREATE USER a IDENTIFIED WITH p INITIAL AUTHENTICATION IDENTIFIED BY «'S3cret'»",
  "CREATE USER a IDENTIFIED BY «'S3cret'» COMMENT 'kept' ATTRIBUTE '{\"kept\": 1}'",
  "CREATE USER a IDENTIFIED BY PASSWORD «'*94BDCEBE19083CE2A1F959FD02F964C7AF4CFC29'»",
  "CREATE USER a IDENTIFIED VIA mysql_native_password USING «'*94BD'» OR ed25519 USING PASSWORD(«'S3cret'»)",
  "GRANT SELECT ON app.* TO a@'%' IDENTIFIED BY «'S3cret'» WITH GRANT OPTION",
  "GRANT ALL ON *.* TO a IDENTIFIED BY PASSWORD «'*94BD'» REQUIRE SUBJECT '/CN=kept'",
  "CLONE INSTANCE FROM 'kept'@'10.0.0.1':3306 IDENTIFIED BY «'S3cret'» DATA DIRECTORY '/kept'",
  'CREATE USER a IDENTIFIED BY RANDOM PASSWORD',
  "CREATE USER a IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'",
  "CREATE USER a IDENTIFIED VIA pam USING 'kept' REQUIRE SSL",
  "SET PASSWORD = «'S3cret'»",
  "SET PASSWORD FOR 'a'@'%' = «'S3cret'» REPLACE «'S3cret'»",
  "SET PASSWORD FOR a = PASSWORD(«'S3cret'»), @b = 'kept'",
  "SET @b = 'kept', PASSWORD FOR a := OLD_PASSWORD(«'S3cret'»)",
  "SET STATEMENT max_statement_time = 1 FOR SET PASSWORD = «'S3cret'»",
  'SET PASSWORD FOR a TO RANDOM',
  "set @kept = 'kept', @password := «'S3cret'»",
]
const replication = [
  "CHANGE MASTER TO MASTER_HOST='kept', MASTER_USER='kept', MASTER_PASSWORD=«'S3cret'», MASTER_PORT=3306",
  "CHANGE MASTER 'kept' TO MASTER_PASSWORD = «'S3cret'»",
  'CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD = «"S3cret"», SOURCE_HOST = "kept" FOR CHANNEL "kept"',
  "START REPLICA USER = 'kept' PASSWORD = «'S3cret'» DEFAULT_AUTH = 'kept'",
  "START GROUP_REPLICATION USER='kept', PASSWORD=«'S3cret'»",
  "CALL mysql.rds_set_external_master ('kept', 3306, 'kept', «'S3cret'», 'kept', 107, 0)",
  "call `mysql`.`rds_set_external_source_with_auto_position` ('kept', 3306, 'kept', concat(«'S3'», «'cret'»), 1, 0)",
  'CALL mysql.rds_import_binlog_ssl_material(«\'{"ssl_key": "S3cret"}\'»)',
]
const elsewhere = [
  "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (USER 'kept', PASSWORD «'S3cret'», HOST 'kept')",
  "ALTER SERVER s OPTIONS (PASSWORD «'S3cret'»)",
  "CREATE TABLE t (a int) ENGINE=FEDERATED CONNECTION='mysql://kept:«S3cret»@kept:3306/d/t'",
  'CREATE TABLE t (a int) ENGINE=SPIDER COMMENT=\'wrapper "mysql", user "kept", password "«S3cret»"\'',
  "CREATE TABLE t ENGINE=CONNECT CONNECTION='DSN=kept;UID=kept;PWD=«S3cret»' OPTION_LIST='user=kept,password=«S3cret»'",
  "SELECT PASSWORD(«'S3cret'»), OLD_PASSWORD(«'S3cret'»), 'kept'",
  "INSERT INTO `users` (`id`, `password`, `name`) VALUES (1, «'S3cret'», 'kept'), (2, SHA1(«'S3cret'»), 'kept')",
  "INSERT INTO users SET name = 'kept', password = «'S3cret'»",
  "INSERT INTO t PARTITION (p0) (a, password) VALUE ('kept', «'S3cret'»)",
  "REPLACE INTO users (password, name) VALUES (MD5(CONCAT(«'S3cret'», salt)), 'kept')",
  "INSERT INTO u (name) VALUES ('kept') ON DUPLICATE KEY UPDATE name='kept', password=«'S3cret'»",
  "UPDATE users u JOIN v USING (id) SET u.password = «'S3cret'», u.name = 'kept' WHERE u.email = 'kept'",
  "UPDATE mysql.user SET authentication_string = PASSWORD(«'S3cret'») WHERE user = 'kept'",
  "LOAD DATA INFILE 'kept' INTO TABLE t (a) SET password = «'S3cret'», b = 'kept'",
]
const code = [
  "PREPARE s FROM 'ALTER USER a IDENTIFIED BY «''S3cret''»'",
  'PREPARE s FROM "ALTER USER a IDENTIFIED BY «\'S3cret\'»"',
  "EXECUTE IMMEDIATE 'alter user a identified by «\\'S3cret\\'»'",
  "EXECUTE IMMEDIATE 'update t set a = ?, password = ?' USING 'kept', «'S3cret'»",
  "EXECUTE s USING «'S3cret'», 5",
  "SET @s = CONCAT('alter user a identified by «''»', '«S3cret»', '«''»', ' kept')",
  "SET @s = CONCAT('alter user a identified by ', QUOTE(«'S3cret'»))",
  'SET @s = CONCAT("alter user a identified by «\'»", @kept, "«S3cret\'»")',
  "SET @s = 'alter user a ' 'identified by «''S3»' '«cret''»'",
  'SET @s = 0x616C74657220757365722078206964656E74696669656420627920«2753336372657427»20',
  "CREATE PROCEDURE p() BEGIN SET PASSWORD = «'S3cret'»; DROP TABLE kept; END",
  "CREATE DEFINER = a@b PROCEDURE p() SET PASSWORD = «'S3cret'»",
  "CREATE TRIGGER t BEFORE INSERT ON u FOR EACH ROW SET NEW.password = SHA1(«'S3cret'»), NEW.x = 'kept'",
  "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO ALTER USER a IDENTIFIED BY «'S3cret'»",
  "BEGIN NOT ATOMIC SET PASSWORD FOR a = PASSWORD(«'S3cret'»); DROP TABLE kept; END",
  "SELECT 1; ALTER USER a IDENTIFIED BY «'S3cret'»; DROP TABLE kept",
]
const oddlyWritten = [
  "ALTER USER a IDENTIFIED /* kept's */ BY # kept's\n -- kept's\n «'S3cret'» -- kept",
  "/*!50706 ALTER USER a IDENTIFIED BY «'S3cret'» */",
  "ALTER USER a IDENTIFIED /*! BY «'S3cret'» */ /* kept */ REQUIRE SSL",
  "ALTER USER a IDENTIFIED /*!999999 kept */ BY «'S3cret'»",
  "ALTER USER a IDENTIFIED BY _utf8mb4«'S3cret'»",
  "ALTER USER a IDENTIFIED BY _latin1 «'S3cret'»",
  "ALTER USER a IDENTIFIED BY «N'S3cret'»",
  "ALTER USER a IDENTIFIED BY «'S3\0cret'» ACCOUNT LOCK",
  "ALTER USER a\0 IDENTIFIED BY «'S3cret'»",
  "alter\tuser\ra\nidentified\fby\v«'S3cret'»",
  "alter user a identified by\xa0«'S3cret'»",
  "alter user a identified by«'S3cret'»require ssl",
  "alter user `it's`@'kept' identified by «'S3cret'»",
  "alter user a identified by «'S3\xc3\xa9cret'»",
  "alter user a identified by «'S3\\'cret'», b identified by «'x\\\\'» /* kept */",
  // Nothing of these runs: what stands behind a password may be a part of it.
  "alter user a identified by «'it's S3cret'»",
  'alter user a identified by «S3cret»',
  "alter user a identified by «'S3» «cret'»".replace('» «', ''),
  "alter user a identified by «'S3cret»",
  "set password = «S3cret; drop table t'»",
  'set password for a = «$S3cret»',
]

t.test('passwords that statements set are not recorded, and everything else is', (t) => {
  const all = [...replication, ...elsewhere, ...code, ...oddlyWritten]
  // What MySQL 5.7 and later run in comments MariaDB does not.
  check(t, [...users, ...all.filter((marked) => !marked.includes('50706'))], mariaDb)
  check(t, [...users, ...all], mysql8)
  t.ok(users.length + all.length >= 60)
  t.end()
})

t.test('what is not known of the session is read in every way', (t) => {
  for (const marked of [...users, ...replication, ...elsewhere, ...code, ...oddlyWritten]) {
    const shown = redacted(sent(marked), unknown)
    t.notMatch(shown, /S3|cret|\*94BD|5333/, marked)
  }
  t.end()
})

t.test('a statement that holds a secret is looked at', (t) => {
  for (const marked of [...users, ...replication, ...elsewhere, ...code, ...oddlyWritten])
    if (marked.includes('«')) t.match(sent(marked).toString('utf8'), mysqlDialect.mayHoldSecret)
  t.end()
})

t.test('modes of the server change where a literal ends', (t) => {
  const noBackslashes = { ...mariaDb, backslashes: false }
  check(t, ["set @a = 'kept\\', @password = «'S3cret'»"], noBackslashes)
  check(t, ["set @a = 'kept\\', @password = ', @b = 'kept'"], mariaDb)
  const ansi = { ...mariaDb, ansiQuotes: true }
  check(t, ['insert into "t" ("a\'b", "password") values (\'kept\', «\'S3cret\'»)'], ansi)
  check(t, ['alter user a identified by «"S3cret"»; drop table kept'], ansi)
  t.end()
})

t.test('in GBK, Big5 and Shift-JIS a backslash or backtick may be the end of a letter', (t) => {
  const statements = [
    "set @a = '\xbf\x5c', @password = «'S3cret'»",
    "alter user a identified by «'S3\xbf\x5c'», b@'kept' identified by «'S3cret'»",
    "insert into t (`\xe5\x60`, `password`) values ('kept', «'S3cret'»)",
  ]
  const [first = ''] = statements
  check(t, [first], mariaDb)
  for (const lead of ['\xbf', '\xe5', '\x81'])
    for (const marked of statements)
      for (const mode of [mariaDb, mysql8, unknown])
        t.notMatch(redacted(sent(marked.replaceAll('\xbf', lead)), mode), /S3|cret/, marked)
  // In Shift-JIS alone it is code: 0x81 begins a letter, 0xB1 is one.
  const inSjis = "set @a = '\x81\\' ' \xb1\\' \x81\\', @password = 'S3cret' -- '"
  t.notMatch(redacted(sent(inSjis), mariaDb), /S3|cret/)
  check(t, ["set @a = 'caf\xc3\xa9\\n', @b = '\xc3\xa9\\\"', @password = «'S3cret'»"], mariaDb)
  t.end()
})

t.test('blanks that only some character sets have', (t) => {
  for (const blank of ['\xa0', '\xff']) {
    t.notMatch(redacted(sent(`alter user a identified by${blank}'S3cret'`), mariaDb), /S3|cret/)
    t.notMatch(redacted(sent(`select 1 --${blank}x from t; alter user a identified by 'S3cret'`), mariaDb), /S3|cret/)
  }
  t.end()
})

t.test('what can be read in more ways than are tried is shown as those have it: what runs is on record', (t) => {
  const toUtf8 = (text: string) => Buffer.from(text, 'latin1').toString('utf8')
  const long = `insert into t values ${"('caf\xc3\xa9\\n kept'), ".repeat(600)}('\xc3\xa9\\'s'); update t set passw = 9`
  t.equal(redacted(sent(long), mariaDb), toUtf8(long))
  const hidden = `${`do '\\\\';do '\\';do ";do "\\";";`.repeat(30)}update accounts set passw = 9 where id = 1`
  for (const mode of [mariaDb, mysql8, unknown]) t.match(redacted(sent(hidden), mode), /update accounts set passw = 9/)
  const known = `${long}; alter user a identified by «'S3cret'»`
  t.equal(redacted(sent(known), mariaDb), toUtf8(known.replace(/«.*»/, mark)))
  t.end()
})

t.test('a statement may change how those behind it are read', (t) => {
  check(t, ["set sql_mode = 'NO_BACKSLASH_ESCAPES'; set @a = 'kept\\', @password = «'S3cret'»"], mariaDb)
  check(
    t,
    ["set sql_mode = 'ANSI_QUOTES'; insert into \"t\" (\"a'b\", \"password\") values ('kept', «'S3cret'»)"],
    mariaDb,
  )
  check(t, ["select 1; set @a = 'kept\\', @password = ', @b = 'kept'"], mariaDb)
  t.end()
})

t.test('comments with code are read as the server reads them', (t) => {
  const hidden = "/*!999999 alter user a identified by '*/ drop table kept; /*'*/"
  check(t, [hidden], mariaDb)
  check(t, [hidden], mysql8)
  check(t, ["/*M!100000 set password = «'S3cret'»*/", "/*!50700 set password = 'kept'*/"], mariaDb)
  check(t, ["/*M!100000 set password = 'kept'*/", "/*!50700 set password = «'S3cret'»*/"], mysql8)
  check(t, ["/*!110199 set password = 'kept' */", "/*!110100 set password = «'S3cret'» */"], {
    ...mariaDb,
    version: '11.1.2-MariaDB',
  })
  // A comment within one that is skipped has its own end.
  check(t, ["/*!999999 /* x */ set password = 'kept' */ set password = «'S3cret'»"], mariaDb)
  // Within one that is run, a literal may hold what looks like its end.
  check(t, ["/*! set @a = '*/', @password = «'S3cret'» */; select 'kept'"], mariaDb)
  check(t, ["set @a = /*!1 */, @password = «'S3cret'»"], mariaDb)
  t.end()
})

t.test('parameters whose values are secrets', (t) => {
  const parameters = (sql: string) => [...find(sql, mariaDb).parameters]
  t.same(parameters('insert into users (id, password, name) values (?, ?, ?)'), [2])
  t.same(parameters('insert into users (id, password) values (?, ?), (?, sha2(?, 256))'), [2, 4])
  t.same(parameters('update users set name = ?, password = ? where id = ?'), [2])
  t.same(parameters("select '?', `?`, ? /* ? */ from t where password = ? -- ?"), [])
  t.same(parameters('call mysql.rds_set_external_master(?, ?, ?, ?, ?, ?, ?)'), [4])
  t.same(parameters('set @a = ?, @password = ?'), [2])
  t.same(parameters('insert into t (a) values (?) on duplicate key update password = ?'), [2])
  t.end()
})

t.test('what a statement that was prepared before takes for secrets', (t) => {
  const mode = { ...mariaDb, secretParameters: (name: string) => (name === 's' ? new Set([2]) : undefined) }
  check(t, ["execute s using 'kept', «'S3cret'»", "execute other using «'S3cret'», «'S3cret'»"], mode)
  t.end()
})

t.test('a value that is code itself', (t) => {
  const finder = mysqlDialect.findSecrets(mariaDb)
  const value = Buffer.from("alter user a identified by 'S3cret'")
  finder.feedLiteral(value)
  t.same(finder.finish().spans, [[27, value.length]])
  t.end()
})

t.test('errors are recorded without what they quote', async (t) => {
  const { redactError } = await import('../../../../proxy/recording/redact.ts')
  const shown = (message: string, texts = ['S3cret']) => redactError(message, texts, false, mysqlDialect.errorQuote)
  const manual = 'You have an error in your SQL syntax; check the manual for the right syntax to use'
  t.equal(shown(`${manual} near ''S3c' at line 1`), `${manual} near ${mark}`)
  t.equal(shown(`${manual} near 'x' at line 1`, []), `${manual} near 'x' at line 1`)
  t.equal(shown("Duplicate entry 'S3cr' for key 'users.password'"), `Duplicate entry ${mark}`)
  t.equal(shown("Incorrect integer value: 'S3cr' for column `a`"), `Incorrect integer value: ${mark}`)
  t.equal(shown("Truncated incorrect DOUBLE value: 'S3cr'"), `Truncated incorrect DOUBLE value: ${mark}`)
  t.equal(shown("Variable 'a' can't be set to the value of 'S3'"), `Variable 'a' can't be set to the value of ${mark}`)
  t.equal(shown("Unknown column 'S3cret' in 'field list'"), mark)
  t.equal(shown("Table 'app.t' doesn't exist"), "Table 'app.t' doesn't exist")
})
