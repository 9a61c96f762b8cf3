import t from 'tap'
import { postgresLevel as rdsLevel } from '../../../../src/kinds/rds-postgres/level.ts'

t.test('a database user is enough', async (t) => {
  t.same(rdsLevel.read({ db_user: 'ro' }), {
    ok: true,
    value: {
      dbUser: 'ro',
      isPersonal: false,
      databases: ['*'],
      statementTimeoutMs: 0,
      maxRows: 0,
      isRecordingStrict: false,
      budget: null,
    },
  })
  t.same(rdsLevel.read({ db_user: 'ro', databases: ['a'], statement_timeout: '30s', max_rows: 10 }), {
    ok: true,
    value: {
      dbUser: 'ro',
      isPersonal: false,
      databases: ['a'],
      statementTimeoutMs: 30_000,
      maxRows: 10,
      isRecordingStrict: false,
      budget: null,
    },
  })
})

t.test('what is wrong is named by its key, all at once', async (t) => {
  const keys = (raw: unknown) => {
    const parsed = rdsLevel.read(raw)
    return parsed.ok ? [] : parsed.problems.map(({ path }) => path).sort()
  }
  t.same(keys('ro'), [''])
  t.same(keys(null), [''])
  t.same(keys([]), [''])
  t.same(keys({}), ['db_user'])
  t.same(keys({ db_user: 'a'.repeat(64) }), ['db_user'], 'PostgreSQL would cut it, and sign in somebody else')
  t.same(keys({ db_user: 'a', max_row: 1, databases: [], statement_timeout: '30', max_rows: 0 }), [
    'databases',
    'max_row',
    'max_rows',
    'statement_timeout',
  ])
  for (const user of ['', '1a', 'a b', 'a"b', 'a*', 'a/b', '*', 'é']) t.same(keys({ db_user: user }), ['db_user'], user)
})
