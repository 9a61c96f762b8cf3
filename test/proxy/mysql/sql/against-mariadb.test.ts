/**
 * Texts that MariaDB itself runs, oddly written and often broken: what has run is on record, and a password that was set is not.
 */
import { createHash } from 'node:crypto'
import { createConnection } from 'mysql2/promise'
import t from 'tap'
import fc from '../../../fast-check.ts'
import { skipWithoutMariaDb, startMariaDb } from '../../../sandbox/mysql/mariadb.ts'
import { find } from './redacted.ts'

const [secret, marker] = ['S3cretZ9', 'markerZ9'] as const

const gap = fc.constantFrom(
  ...[' ', ' ', ' ', '\n', '\t', '/*x*/', '/**/', "/*' */", ' # x\n', ' -- "\n', ' /*! */', '/*!50000 */'],
  ...["/*!999999 ' */", ' /*M! */', "/*!50700 ' */"],
)
const quoted = (text: string) =>
  fc.constantFrom(`'${text}'`, `"${text}"`, `'${text}' ''`, `'x''${text}'`, `'\\\\${text}'`)
const other = fc.constantFrom('a', '; ', '-- ', '/*', '*/', '#', "x''y", 'password', 'identified by ', "\\'")
const filler = other.map((text) => `'${text}'`)

/** Tokens of one statement. */
const statement = fc.oneof(
  quoted(marker).map((text) => ['set', '@r', '=', text]),
  quoted(marker).map((text) => ['select', text, 'into', '@r']),
  fc.constant(['execute', 'immediate', `'set @r = ''${marker}'''`]),
  quoted(marker).map((text) => ['begin', 'not', 'atomic', 'set', '@r', '=', text, ';', 'end']),
  fc.constant(['alter', 'user', 'texts_b', 'identified', 'by', `'${secret}'`]),
  fc.constant(['set', 'password', 'for', 'texts_b', '=', 'password(', `'${secret}'`, ')']),
  quoted(marker).map((text) => [
    'set',
    '@r',
    '=',
    text,
    ',',
    'password',
    'for',
    'texts_b',
    '=',
    `password('${secret}')`,
  ]),
  fc.constant(['execute', 'immediate', `'alter user texts_b identified by ''${secret}'''`]),
  fc.constant(['execute', 'immediate', "concat('alter user texts_b identified by '", ',', `quote('${secret}')`, ')']),
  fc.tuple(filler, filler).map(([a, b]) => ['set', '@x', '=', a, b]),
  filler.map((text) => ['set', '@password', '=', text]),
)
const wrapped = fc
  .tuple(fc.constantFrom('', '', '', '/*!', '/*!50000', '/*!999999', '/*M!100000'), statement)
  .map(([open, tokens]) => (open === '' ? tokens : [open, ...tokens, '*/']))
const breakage = fc.record({
  at: fc.nat(1000),
  text: fc.constantFrom(
    "'",
    '"',
    '`',
    ';',
    '/*',
    '*/',
    '#',
    '-- ',
    '\n',
    '(',
    ')',
    ',',
    '@',
    '?',
    '/*!',
    '\0',
    "''",
    'x',
    '',
  ),
  removes: fc.nat(1),
})
const text = fc
  .record({
    statements: fc.array(wrapped, { minLength: 1, maxLength: 4 }),
    gaps: fc.array(gap, { minLength: 7, maxLength: 7 }),
    breakages: fc.array(breakage, { maxLength: 2 }),
  })
  .map(({ statements, gaps, breakages }) => {
    const whole = statements.map((tokens) => tokens.map((token, i) => `${gaps[i % 7]}${token}`).join('')).join(';')
    return breakages.reduce((sql, { at, text, removes }) => {
      const place = at % (sql.length + 1)
      return sql.slice(0, place) + text + sql.slice(place + removes)
    }, whole)
  })

const sha1 = (bytes: string | Buffer) => createHash('sha1').update(bytes).digest()
const stored = `*${sha1(sha1(secret)).toString('hex').toUpperCase()}`

t.test(
  'what MariaDB has run is on record, and no password that it has set',
  { skip: skipWithoutMariaDb() },
  async (t) => {
    const db = await startMariaDb()
    t.teardown(() => db.close())
    await db.query("create user texts@localhost identified by 'x'")
    await db.query('grant all on *.* to texts@localhost with grant option')
    await db.query("create user texts_b identified by 'x'")
    const connection = await createConnection({
      ...{ socketPath: db.socketPath, user: 'texts', password: 'x', charset: 'utf8mb4' },
      multipleStatements: true,
    })
    t.teardown(() => connection.end())
    const counts = { ran: 0, set: 0 }
    for (const sql of fc.sample(text, { numRuns: 800, seed: 20261128 })) {
      await connection.query("set sql_mode = '', @r = null; set password for texts_b = password('other')")
      await connection.query(sql).catch(() => {}) // most that are broken are refused, some in their middle
      const [rows] = await connection.query('select @r as r')
      const [user] = await db.query(
        "select json_value(priv, '$.authentication_string') as a from mysql.global_priv where user = 'texts_b'",
      )
      const hasRun = JSON.stringify(rows).includes(marker)
      const isSet = user?.a === stored
      const shown = find(sql, { backslashes: true, ansiQuotes: false, version: db.version }).text
      if (hasRun) counts.ran += 1
      if (isSet) counts.set += 1
      if (hasRun && !shown.includes(marker)) t.fail(`it has run: ${JSON.stringify({ sql, shown })}`)
      // The same password in a statement that was refused, or never reached, may be shown: then one more stands there.
      const isAlone = sql.split(secret).length === 2
      if (isSet && isAlone && shown.includes(secret)) t.fail(`it was set: ${JSON.stringify({ sql, shown })}`)
    }
    t.ok(counts.ran > 100, `${counts.ran} have run`)
    t.ok(counts.set > 50, `${counts.set} passwords were set`)
  },
)
