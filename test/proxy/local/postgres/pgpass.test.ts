import { lstat, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { addToPgpass, pgpassLine, pgpassPath } from '../../../../proxy/local/postgres/pgpass.ts'
import fc from '../../../fast-check.ts'

const entry = { host: '127.0.0.1', port: 6432, user: 'sallyport', password: 'secret' }
const line = '127.0.0.1:6432:*:sallyport:secret'

/** The rule of libpq's passwordFromFile: fields end at a bare colon, a backslash takes the next character as it is. */
function parseLine(text: string): string[] {
  const fields: string[] = []
  let field = ''
  for (let i = 0; i < text.length; i++) {
    if (text[i] === ':') {
      fields.push(field)
      field = ''
    } else field += text[i] === '\\' ? (text[++i] ?? '') : text[i]
  }
  return [...fields, field]
}

t.test('colon and backslash are escaped, so that libpq reads every field as it was', async (t) => {
  t.equal(pgpassLine({ ...entry, password: 'a:b\\c' }), '127.0.0.1:6432:*:sallyport:a\\:b\\\\c')
  t.equal(pgpassLine({ ...entry, host: '::1' }), '\\:\\:1:6432:*:sallyport:secret')
  const field = fc.string({ unit: fc.constantFrom(':', '\\', 'a', '*', ' ', 'é') })
  fc.assert(
    fc.property(field, field, field, (host, user, password) => {
      t.same(parseLine(pgpassLine({ host, port: 1, user, password })), [host, '1', '*', user, password])
    }),
  )
  t.throws(() => pgpassLine({ ...entry, password: 'a\nb' }), /line break/)
})

t.test('lines are put first, with mode 0600, and only ours are taken out again', async (t) => {
  const path = join(t.testdir({ '.pgpass': '*:*:*:*:other\n# a note\n' }), '.pgpass')
  const remove = await addToPgpass(path, [entry])
  t.equal(await readFile(path, 'utf8'), `${line}\n*:*:*:*:other\n# a note\n`)
  t.equal((await stat(path)).mode & 0o777, 0o600)
  await writeFile(path, `${await readFile(path, 'utf8')}h:1:d:u:added-meanwhile\n`)
  await remove()
  t.equal(await readFile(path, 'utf8'), '*:*:*:*:other\n# a note\nh:1:d:u:added-meanwhile\n')
})

t.test('a line that an earlier run left for the same port is replaced', async (t) => {
  const path = join(
    t.testdir({ '.pgpass': '127.0.0.1:6432:*:sallyport:stale\n127.0.0.1:6433:*:sallyport:kept\n' }),
    '.pgpass',
  )
  await addToPgpass(path, [entry])
  t.equal(await readFile(path, 'utf8'), `${line}\n127.0.0.1:6433:*:sallyport:kept\n`)
})

t.test('a file that holds nothing but our lines goes with them', async (t) => {
  const path = join(t.testdir({}), 'new', '.pgpass')
  const remove = await addToPgpass(path, [entry])
  t.equal(await readFile(path, 'utf8'), `${line}\n`)
  await remove()
  await t.rejects(stat(path), { code: 'ENOENT' })
  await t.resolves(remove(), 'a second time does no harm')
})

t.test('a symbolic link stays one', async (t) => {
  const dir = t.testdir({ dotfiles: { pgpass: 'h:1:d:u:p\n' } })
  const path = join(dir, '.pgpass')
  await symlink(join(dir, 'dotfiles', 'pgpass'), path)
  const remove = await addToPgpass(path, [entry])
  t.ok((await lstat(path)).isSymbolicLink())
  t.equal(await readFile(join(dir, 'dotfiles', 'pgpass'), 'utf8'), `${line}\nh:1:d:u:p\n`)
  await remove()
  t.equal(await readFile(path, 'utf8'), 'h:1:d:u:p\n')
})

t.test('what cannot be read is an error, never an empty file', async (t) => {
  const path = join(t.testdir({}), '.pgpass')
  await mkdir(path)
  await t.rejects(addToPgpass(path, [entry]), { code: 'CONFIG_INVALID', message: /is a folder, not a regular file/ })
})

t.test('the file is where libpq looks', async (t) => {
  t.equal(pgpassPath({ PGPASSFILE: '/x' }), '/x')
  t.equal(pgpassPath({ HOME: '/home/a' }, 'linux'), '/home/a/.pgpass')
  t.match(pgpassPath({ APPDATA: 'C:\\A' }, 'win32'), /postgresql.pgpass\.conf$/)
})
