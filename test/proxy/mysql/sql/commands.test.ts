import t from 'tap'
import { type Command, CommandFinder, mayHoldCommand, readCommands } from '../../../../proxy/mysql/sql/commands.ts'
import type { MysqlMode } from '../../../../proxy/mysql/sql/reading.ts'
import { mariaDb, mysql8, unknown } from './redacted.ts'

const read = (sql: string, mode: MysqlMode = mariaDb) => readCommands(Buffer.from(sql, 'latin1'), mode)
const kill = (id: number): Command => ({ kind: 'kill', what: 'connection', id })
const killQuery = (id: number): Command => ({ kind: 'kill', what: 'query', id })
const other: Command = { kind: 'kill-other' }
const replication: Command = { kind: 'replication' }
const file = (name: string): Command => ({ kind: 'load-local', file: name })

/** Texts that are one command and nothing else. */
const alone: readonly (readonly [string, Command])[] = [
  ['kill 5', kill(5)],
  ['KILL CONNECTION 4294967295', kill(4_294_967_295)],
  ['KiLl QuErY 5;', killQuery(5)],
  ['kill hard query 7 ; ;', killQuery(7)],
  ['kill soft connection 0012', kill(12)],
  ['/* x */ kill -- y\n 5 # z', kill(5)],
  ['kill/**/5', kill(5)],
  ['/*!kill*/ 5', kill(5)],
  ['/*!50000 kill query */ 5', killQuery(5)],
  ['kill query id 9', { kind: 'kill-query-id', id: 9 }],
  ['kill connection id 9', other],
  ['kill user a', other],
  ['kill 1+1', other],
  ['kill (5)', other],
  ['kill -1', other],
  ['kill 5.0', other],
  ['kill 1e3', other],
  ['kill 0x5', other],
  ["kill '5'", other],
  ['kill `5`', other],
  ['kill ?', other],
  ['kill @a', other],
  ['kill connection_id()', other],
  ['kill 5 6', other],
  ['kill 99999999999999999999', other],
  ['kill', other],
  ['create procedure p() kill 5', other],
  ["execute immediate 'kill 5'", other],
  ["prepare s from concat('ki', 'll 5')", other],
  ['execute immediate 0x6b696c6c2035', other],
  ["load data local infile 'a b' into table t", file('a b')],
  ["load data low_priority /*!local*/ infile 'a\\\\b\\'c' into table t", file("a\\b'c")],
  ['load xml concurrent local infile "a" into table t', file('a')],
  [`load data local infile '${'a'.repeat(5000)}' into table t`, { kind: 'load-local', file: undefined }],
  ["binlog 'abc'", replication],
  ['show binlog events in "x"', replication],
  ['show relaylog events', replication],
  ["change master to master_host='x'", replication],
  ['change replication source to source_host="x"', replication],
  ['start slave', replication],
  ['stop all slaves', replication],
  ['start group_replication', replication],
  ['reset master', replication],
  ['purge binary logs to "x"', replication],
]

t.test('a text that is one command', (t) => {
  for (const [sql, command] of alone) {
    t.same(read(sql), { only: command, all: [command] }, sql.slice(0, 80))
    if (!sql.includes('0x6b')) t.match(sql, mayHoldCommand)
  }
  t.end()
})

t.test('a command among other statements, or within them', (t) => {
  t.same(read('select 1; kill 5'), { all: [kill(5)] })
  t.same(read('kill 5; kill 6'), { all: [kill(5), kill(6)] })
  t.same(read('begin not atomic kill 5; end'), { all: [kill(5)] })
  t.same(read("load data local infile 'a' into table t; load data local infile 'b' into table t"), {
    all: [file('a'), file('b')],
  })
  t.end()
})

t.test('names, literals and comments are no commands', (t) => {
  const statements = [
    "select 'kill 5', `kill`, a.kill, @kill, @@kill from t",
    "insert into log values ('load data local infile')",
    'select 1 /* kill 5 */ -- kill 5\n # kill 5',
    "load data infile 'x' into table t",
    'start transaction',
    'show slave status',
    'reset query cache',
    'alter table t change a b int',
    'select kill_count, overkill from t',
    "prepare s from 'select 5'",
    'kil l 5',
  ]
  for (const sql of statements) t.same(read(sql), { all: [] }, sql)
  t.end()
})

t.test('what a server reads in another way', (t) => {
  t.same(read('/*!50700 kill */ 5'), { all: [] }, 'MariaDB skips what MySQL 5.7 and later run')
  t.same(read('/*!50700 kill */ 5', mysql8), { only: kill(5), all: [kill(5)] })
  t.same(read('/*!50700 kill */ 5', unknown), { all: [kill(5)] })
  t.same(read("load data local infile 'a\\'b' into table t", unknown), { all: [file("a'b"), file('a\\')] })
  t.same(read("select '\xbf\\'; kill 5; -- '"), { all: [kill(5)] }, 'in GBK a letter, and the end of the literal')
  t.same(read("select '\x81\\' ' \xb1\\' \x81\\'; kill 5; -- '"), { all: [kill(5)] }, 'in Shift-JIS alone')
  t.same(read("select '\xe9\\n; kill 5; -- '"), { all: [] }, 'no matter in which')
  for (const blank of ['\xa0', '\xff']) {
    t.same(read(`kill${blank}5`), { all: [kill(5)] }, 'a blank somewhere')
    t.same(read(`select 1--${blank}x from t; kill 5`), { all: [kill(5)] }, 'a letter elsewhere')
  }
  t.same(read('select "a\'b"; kill 5', { ...mariaDb, ansiQuotes: true }), { all: [kill(5)] })
  t.end()
})

t.test('a statement may change how those behind it are read', (t) => {
  const noBackslashes = "set sql_mode = 'NO_BACKSLASH_ESCAPES'; "
  const found: readonly string[] = [
    `${noBackslashes}select '\\'; kill 5; -- '`,
    `/*!40101 ${noBackslashes}*/ select '\\'; kill 5; -- '`,
    `insert into t values (1); ${noBackslashes}select '\\'; kill 5; -- '`,
    `${noBackslashes}select '\\'; set sql_mode = ''; select '\\''; kill 5; -- '`,
    `set sql_mode = 'ANSI_QUOTES'; select "a'b"; kill 5; select "'"`,
    "set names gbk; select '\xbf\\'; kill 5; -- '",
    "call p(); select '\\'; kill 5; -- '",
    "execute s; select '\\'; kill 5; -- '",
    "(select 1); select '\\'; kill 5; -- '",
  ]
  for (const sql of found)
    t.ok(
      read(sql).all.some((command) => command.kind === 'kill' && command.id === 5),
      sql,
    )
  const harmless: readonly string[] = [
    "insert into t values ('it\\'s; kill 5')",
    "select 1; update t set a = 'it\\'s; kill 5; --'",
    "begin; insert into t values ('\\'; kill 5; -- '); commit",
  ]
  for (const sql of harmless) t.same(read(sql), { all: [] }, `the server reads it in one way: ${sql}`)
  t.end()
})

t.test(
  'behind a place of a long text that the character set decides on a statement may begin with any command',
  (t) => {
    const long = ', '.repeat(5000)
    const insert = `insert into t values ${long}('\xe9\\'`
    const held = [
      '; kill 5',
      ";\n \xa0execute immediate 'x'",
      "; PREPARE s from 'x'",
      `;${' '.repeat(9000)}kill 5`,
      '; -- so\nkill 5',
      '; /*!50000 kill 5 */',
      '/**/kill 5',
      '; begin not atomic kill 5; end',
      '; set statement max_statement_time = 1 for kill 5',
      '; create procedure p() kill 5',
      '; create trigger x before insert on t for each row kill 5',
    ]
    const finds = (sql: string) => {
      const all = [read(sql)]
      for (const size of [1, 4096]) {
        const finder = new CommandFinder(mariaDb)
        const bytes = Buffer.from(sql, 'latin1')
        for (let at = 0; at < bytes.length; at += size) finder.feed(bytes, at, Math.min(at + size, bytes.length))
        all.push(finder.finish())
      }
      return all
    }
    for (const rest of held) t.same(finds(`${insert}${rest}; -- '`), Array(3).fill({ all: [other] }), rest)
    t.same(finds(`select 1 ${long}; kill\xa05`), Array(3).fill({ all: [other] }), 'a blank after it')
    t.same(finds(`create procedure p() select 1 ${long}'\xe9\\'; kill 5 -- '`)[0], { all: [other] })
    const article =
      ') how to kill a process, and "Kill Bill"; \'prepare\' a plan, then you execute it; overkill, skill; killer 6'
    t.same(finds(`${insert}s${article}')`), Array(3).fill({ all: [] }), 'words of an article')
    t.end()
  },
)

t.test('a text that could be read in more ways than are tried may hold any command', (t) => {
  const sql = Array.from({ length: 200 }, (_, i) => `set @a = '\\'; set @b = "${"'".repeat(i % 3)}\\"; `).join('')
  const before = performance.now()
  t.ok(read(`${sql}execute s`, unknown).all.some(({ kind }) => kind === 'kill-other'))
  t.ok(read(`set @a = 1; ${';a'.repeat(50_000)}`).all.length === 0, 'one that is read alike in each way holds none')
  t.ok(performance.now() - before < 10_000)
  t.end()
})

t.test('a text of commands only is remembered no further than it matters', (t) => {
  t.equal(read('kill 5;'.repeat(1000)).all.length, 1)
  t.equal(read(Array.from({ length: 1000 }, (_, id) => `kill ${id};`).join('')).all.length, 16)
  t.end()
})
