import t from 'tap'
import { SessionText } from '../../../../proxy/mysql/sql/session-text.ts'

const key = Buffer.alloc(32, 1)
const [noBackslashEscapes, ansiQuotes] = [0x200, 0x8000] as const
const mariaDb = '5.5.5-10.11.19-MariaDB'

function shown(session: SessionText, sql: string): string {
  return session.sql(Buffer.from(sql, 'latin1')).text
}

t.test('the status flags of the server tell how literals are read', (t) => {
  const session = new SessionText(key, mariaDb)
  const sql = "set @a = 'a\\', @password = 'S3cret'"
  t.equal(shown(session, sql), "set @a = 'a\\', @password = [redacted]", 'unknown: in both ways')
  session.status(2)
  t.equal(shown(session, sql), sql, 'with backslashes it ends within a literal')
  session.status(2 | noBackslashEscapes)
  t.equal(shown(session, sql), "set @a = 'a\\', @password = [redacted]")
  session.isSettled = () => false
  session.status(2)
  t.equal(shown(session, sql), "set @a = 'a\\', @password = [redacted]", 'a statement that runs may change it')
  t.end()
})

t.test('MariaDB tells what its double quotes mean; of MySQL both meanings count', (t) => {
  const session = (version: string, flags: number) => {
    const text = new SessionText(key, version)
    text.status(flags)
    return text
  }
  const literal = "select \"x'\", password('S3cret') -- '\""
  t.equal(shown(session(mariaDb, 2), literal), 'select "x\'", password([redacted]) -- \'"')
  t.equal(shown(session(mariaDb, 2 | ansiQuotes), literal), 'select "x\'", password([redacted]) -- \'"')
  const escaped = 'set @a = "x\\", @password = \'S3cret\' -- "'
  const inAnsi = 'set @a = "x\\", @password = [redacted] -- "'
  t.equal(shown(session(mariaDb, 2), escaped), escaped, 'the backslash takes the quote along')
  t.equal(shown(session(mariaDb, 2 | ansiQuotes), escaped), inAnsi)
  t.equal(shown(session('8.0.36', 2), escaped), inAnsi)
  t.end()
})

t.test('commands are looked for in every way a text may be read, also as its own first statement has it', (t) => {
  const session = new SessionText(key, mariaDb)
  session.status(2)
  const sql = Buffer.from("set sql_mode = 'NO_BACKSLASH_ESCAPES'; select '\\'; kill 5; -- '")
  t.same(session.commands(sql).all, [{ kind: 'kill', what: 'connection', id: 5 }])
  t.same(session.commands(Buffer.from('select 1')).all, [])
  const finder = session.longCommands()
  finder.feed(Buffer.from('select 1; kill 5'), 0, 16)
  t.same(finder.finish().all, [{ kind: 'kill', what: 'connection', id: 5 }])
  t.end()
})

t.test('a plain statement is recorded without a closer look', (t) => {
  const session = new SessionText(key, mariaDb)
  t.same(session.sql(Buffer.from('select 1')), { text: 'select 1', isPlain: true })
  t.same(session.sql(Buffer.from('select "1"')), { text: 'select "1"' })
  t.end()
})

t.test('commands are looked for in the way that the server reads, where it is known', (t) => {
  const sql = Buffer.from("insert into t values ('it\\'s; kill 5; -- ')")
  const session = new SessionText(key, mariaDb)
  t.not(session.commands(sql).all.length, 0, 'unknown: in every way')
  session.status(2)
  t.same(session.commands(sql), { all: [] })
  session.status(2 | noBackslashEscapes)
  t.match(session.commands(sql).all, [{ kind: 'kill', id: 5 }])
  session.status(2)
  session.isSettled = () => false
  t.not(session.commands(sql).all.length, 0, 'what runs may change it')
  session.isSettled = () => true
  session.status(undefined)
  t.not(session.commands(sql).all.length, 0, 'an error does not tell')
  const hidden = Buffer.from('/*!80036 kill */ 5')
  t.same(new SessionText(key, '5.7.44').commands(hidden), { all: [] })
  const pooled = new SessionText(key, '5.7.44', false)
  t.match(pooled.commands(hidden).all, [{ kind: 'kill', id: 5 }], 'a pooler’s version')
  t.notMatch(shown(pooled, "/*!80036 set password = 'S3cret' */"), /S3cret/)
  t.end()
})
