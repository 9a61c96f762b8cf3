/** What holds for any text: pieces, cost, and the quick look. What ordinary SQL says stays on record. */

import t from 'tap'
import { CommandFinder, mayHoldCommand, readCommands } from '../../../../proxy/mysql/sql/commands.ts'
import { mysqlDialect } from '../../../../proxy/mysql/sql/find-secrets.ts'
import fc from '../../../fast-check.ts'
import { find, mariaDb, mysql8, unknown } from './redacted.ts'

const pieces = [
  ...["'", "''", '"', '""', '`', '\\', '\\n', '-- ', '--', '#', '/*', '*/', '/*!', '/*!50000 ', '/*!999999 ', '/*M!'],
  ...[
    '\n',
    ' ',
    '\t',
    '\xa0',
    '\0',
    ';',
    '(',
    ')',
    ',',
    '=',
    ':=',
    '@',
    '?',
    '.',
    '|',
    '||',
    '0x',
    "x'",
    "n'",
    "_utf8'",
  ],
  ...['616c746572', '5', '7a', 'a', 'é', '\xbf\\', '\xbf`', '\xbf', '://a:', '://u:p@h '],
  ...[
    'create user x ',
    'alter user x ',
    'identified by ',
    'identified with p as ',
    'via pam using ',
    'replace ',
    'random ',
  ],
  ...[
    'set ',
    'password ',
    'set password = ',
    'password(',
    'for x ',
    'create server s options (',
    'create table t connection=',
  ],
  ...[
    'change master to ',
    'master_password=',
    'call mysql.rds_set_external_master(',
    '1,',
    'insert into t (a, password) values (',
  ],
  ...[
    'update t set password=',
    'on duplicate key update ',
    'concat(',
    'concat_ws(',
    'quote(',
    'prepare s from ',
    'execute s ',
  ],
  ...['execute immediate ', 'using ', 'begin ', 'kill ', 'query ', 'load data local infile ', 'end'],
]
const texts = fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 40 }).map((units) => units.join(''))
const bytesOf = (text: string) => Buffer.from(text, 'latin1')
const modes = fc.constantFrom(
  mariaDb,
  mysql8,
  unknown,
  { ...mariaDb, isEachCharset: true },
  { ...mysql8, ansiQuotes: true },
)

t.test('pieces of any size give the same secrets and commands as the whole', (t) => {
  fc.assert(
    fc.property(texts, modes, fc.integer({ min: 1, max: 9 }), (text, mode, size) => {
      const bytes = bytesOf(text)
      t.same(find(bytes, mode, size), find(bytes, mode))
      const finder = new CommandFinder(mode)
      for (let at = 0; at < bytes.length; at += size) finder.feed(bytes, at, Math.min(at + size, bytes.length))
      t.same(finder.finish(), readCommands(bytes, mode))
    }),
    { numRuns: 1000 },
  )
  t.end()
})

t.test('the cost is linear, in every way of reading', (t) => {
  /** The text, its literals to the third depth, and URIs. */
  const perByte = 5
  /** In one character set, and in each where that makes a difference. */
  const ways = 24 + 72
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 1, max: 60 }),
      (units, times) => {
        const bytes = bytesOf(units.join('').repeat(times))
        return [mariaDb, unknown].every((mode) => find(bytes, mode).steps <= ways * perByte * bytes.length + 100)
      },
    ),
    { numRuns: 1000 },
  )
  t.end()
})

t.test('spans are within the text, in order, and apart', (t) => {
  fc.assert(
    fc.property(texts, modes, (text, mode) => {
      let last = -1
      for (const [from, to] of find(bytesOf(text), mode).spans) {
        if (from <= last || to <= from || to > text.length) return false
        last = to
      }
      return true
    }),
    { numRuns: 2000 },
  )
  t.end()
})

t.test('a password that a user gets is never recorded, whatever stands around it', (t) => {
  const password = fc
    .string({ unit: fc.constantFrom(...'S3cr\'"\\`-#/*; \0é\n%$'.split('')), maxLength: 12 })
    .map((text) => `q${text}Zz9`)
  const quoted = (text: string, quote: string) =>
    `${quote}${text.replaceAll('\\', '\\\\').replaceAll(quote, quote + quote)}${quote}`
  const gap = fc.constantFrom(' ', '\n', "/* it's */", ' # "\n', ' -- `\n', "/*!999999 ' */", '\t/**/')
  const before = fc.constantFrom('', "select 'a\\'b';", 'select "it\'s"; ', "/* ' */ ", "insert into t values ('x');")
  fc.assert(
    fc.property(before, gap, gap, password, fc.constantFrom("'", '"'), (before, gap, other, password, quote) => {
      const sql = `${before}alter user${gap}a${gap}identified${gap}by${other}${quoted(password, quote)}${other}require ssl`
      const shown = find(bytesOf(sql), mariaDb).text
      const isShort = password.includes('é') || shown.endsWith('require ssl') // its end may be elsewhere in GBK
      return !shown.includes('Zz9') && isShort && mysqlDialect.mayHoldSecret.test(sql)
    }),
    { numRuns: 3000 },
  )
  t.end()
})

t.test('what the quick look takes for plain text may hold no secret', (t) => {
  const words = [
    'passw',
    'pwd',
    'identified',
    '://',
    'execute',
    'authentication_string',
    'rds_set_external',
    '64656e746966',
    '7061737377',
  ]
  const text = fc.array(fc.constantFrom(...words, ...pieces, 'PASSWORD', 'Identified', '0x6', "x'"), { maxLength: 8 })
  fc.assert(
    fc.property(text, (units) => {
      const bytes = bytesOf(units.join(''))
      if (!mysqlDialect.isPlain(bytes, 0, bytes.length)) return true
      const sql = bytes.toString('latin1')
      return (
        /^[ !#-[\]-~]*$/.test(sql) &&
        !/passw|pwd|:\/\/|identified|\bexecute\b/i.test(sql) &&
        find(bytes, mariaDb).spans.length === 0
      )
    }),
    { numRuns: 5000 },
  )
  t.end()
})

const ordinary = [
  "SELECT `id`, `email` FROM `users` WHERE `password` = 'abc' AND name LIKE '%o\\'brien%' LIMIT 10 OFFSET 20",
  "INSERT INTO articles (title, body) VALUES ('How to', 'The body was identified by ''his brother''; password: x')",
  "INSERT INTO t VALUES (1, 'it''s', \"say \\\"hi\\\"\", 0xDEADBEEF, x'4D7953514C', b'0101', _utf8mb4'é', N'x', NULL)",
  "UPDATE accounts SET balance = balance - 10.50, note = 'change password' WHERE id IN (1,2,3) ORDER BY id",
  "SELECT IF(a > 1, 'execute', 'replace') AS identified FROM t GROUP BY identified WITH ROLLUP",
  "CREATE TABLE `users` (`id` int unsigned NOT NULL AUTO_INCREMENT, `password` varchar(255) DEFAULT '' COMMENT 'hash; see the password policy', PRIMARY KEY (`id`), KEY `password` (`password`(10))) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='users'",
  "ALTER TABLE users CHANGE COLUMN pass password varchar(255) NOT NULL DEFAULT 'x', ADD COLUMN user varchar(3) DEFAULT 'abc'",
  '/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */; /*!40014 SET FOREIGN_KEY_CHECKS=0 */',
  "SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci, sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE', @x = 'y'",
  "SELECT JSON_EXTRACT(doc, '$.user.password') FROM t WHERE doc->>'$.password' IS NOT NULL -- password 'x'",
  "DELETE FROM password_resets WHERE token = 'abc' # identified by 'x'",
  "SELECT 1 /* identified by 'kept' */; SELECT 'identified by ''kept''' ' x'",
  'EXPLAIN SELECT password FROM users WHERE MATCH(bio) AGAINST(\'+password -"reset"\' IN BOOLEAN MODE)',
  "GRANT SELECT, INSERT (name) ON app.* TO 'a'@'10.0.0.%' REQUIRE ISSUER '/CN=ca' AND SUBJECT '/CN=a'",
  "CREATE USER 'a'@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL COMMENT 'of orders'",
  "DROP USER 'a'@'%'; RENAME USER 'b' TO 'c'; SHOW GRANTS FOR 'c'@'%'",
  'ALTER USER a PASSWORD EXPIRE INTERVAL 90 DAY FAILED_LOGIN_ATTEMPTS 3 PASSWORD_LOCK_TIME 2 ATTRIBUTE \'{"a": "b"}\'',
  "CALL mysql.rds_kill(15); CALL mysql.rds_set_configuration('binlog retention hours', 24)",
  'WITH RECURSIVE c AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM c WHERE n < 5) SELECT * FROM c AS `identified`',
  "SELECT CASE WHEN a THEN REPLACE(password, 'a', 'b') ELSE CONCAT('x', 'y') END FROM t FOR UPDATE",
  "INSERT INTO t (a, b) VALUES ('password', 'pwd') ON DUPLICATE KEY UPDATE a = VALUES(a), b = 'identified by'",
  "CREATE TRIGGER t BEFORE INSERT ON u FOR EACH ROW BEGIN IF NEW.a = 'x' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no password'; END IF; END",
  "LOAD DATA LOCAL INFILE '/tmp/passwords.csv' INTO TABLE t FIELDS TERMINATED BY ',' ENCLOSED BY '\"' ESCAPED BY '\\\\' (a, @b) SET c = 'x'",
  "SELECT TIMESTAMPDIFF(DAY, '2026-01-01', NOW()), 'a' 'b' \"c\", 1--1, 5/*!50000 +1 */ FROM dual",
]

t.test('ordinary SQL is recorded as it is', (t) => {
  for (const sql of ordinary) {
    for (const mode of [mariaDb, mysql8, unknown]) t.equal(find(sql, mode).text, sql)
    t.same(
      readCommands(Buffer.from(sql), unknown).all.filter(({ kind }) => kind !== 'load-local'),
      [],
      sql,
    )
  }
  t.end()
})

t.test('a text in which no command may be has none', (t) => {
  fc.assert(
    fc.property(
      texts,
      modes,
      (text, mode) => mayHoldCommand.test(text) || readCommands(bytesOf(text), mode).all.length === 0,
    ),
    { numRuns: 3000 },
  )
  t.end()
})
