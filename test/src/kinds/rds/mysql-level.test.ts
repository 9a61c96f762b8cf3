import t from 'tap'
import { mysqlLevel } from '../../../../src/kinds/rds-mysql/level.ts'

t.test('a database user is enough: nothing else is allowed or limited', async (t) => {
  t.match(mysqlLevel.read({ db_user: 'ro' }), {
    ok: true,
    value: {
      dbUser: 'ro',
      isPersonal: false,
      databases: ['*'],
      statementTimeoutMs: 0,
      maxRows: 0,
      localInfile: false,
      readOnly: false,
    },
  })
  t.match(mysqlLevel.read({ db_user: 'rw', local_infile: true, read_only: true, databases: ['shop'] }), {
    ok: true,
    value: { localInfile: true, readOnly: true, databases: ['shop'] },
  })
})

t.test('what is wrong is named by its key, all at once', async (t) => {
  const keys = (raw: unknown) => {
    const parsed = mysqlLevel.read(raw)
    return parsed.ok ? [] : parsed.problems.map(({ path }) => path).sort()
  }
  t.same(keys({}), ['db_user'])
  t.same(keys({ db_user: 'a'.repeat(33) }), ['db_user'], 'MySQL has names of 32 characters at most')
  t.same(keys({ db_user: 'a', databases: ['b'.repeat(65)] }), ['databases'])
  t.same(keys({ db_user: 'a', local_infile: 'yes', read_only: 1, max_row: 1 }), [
    'local_infile',
    'max_row',
    'read_only',
  ])
})
