import t from 'tap'
import { readStartup } from '../../../../proxy/postgres/sign-in/startup.ts'
import type { StartupMessage } from '../../../../proxy/wire/postgres/messages.ts'

const ask = (parameters: Record<string, string>, rest: Partial<StartupMessage> = {}) =>
  readStartup({
    kind: 'startup',
    major: 3,
    minor: 0,
    parameters: new Map(Object.entries(parameters)),
    extensions: [],
    ...rest,
  })

t.test('a database counts when it is another name than the user’s', async (t) => {
  t.equal(ask({ user: 'a', database: 'b' }).database, 'b')
  for (const database of ['a', '']) t.notOk('database' in ask({ user: 'a', database }))
  t.notOk('database' in ask({ user: 'a' }))
})

t.test('a parameter of its own goes over the same one in options, as in PostgreSQL', async (t) => {
  const { parameters, tool } = ask({
    user: 'a',
    DateStyle: 'ISO',
    options: '-c datestyle=German -c search_path=x -c search_path=y --application-name=z',
  })
  t.strictSame(Object.fromEntries(parameters), { datestyle: 'ISO', search_path: 'y' })
  t.equal(tool, 'z')
})

t.test('the name of the tool is cut at 128 characters, and never inside one', async (t) => {
  t.equal(ask({ user: 'a', application_name: 'x'.repeat(129) }).tool, 'x'.repeat(128))
  t.equal(ask({ user: 'a', application_name: '😀'.repeat(129) }).tool, '😀'.repeat(128))
  t.notOk('tool' in ask({ user: 'a', application_name: '' }))
})

t.test('what is not known to be harmless is refused by name', async (t) => {
  const refused = { code: 'UNSUPPORTED' as const }
  for (const name of [
    'role',
    'session_authorization',
    'local_preload_libraries',
    'x.',
    '.y',
    'log_statement',
    'User',
    'OPTIONS',
    'ſearch_path',
  ]) {
    t.throws(() => ask({ user: 'a', [name]: 'x' }), { ...refused, message: new RegExp(`"${name}"`) })
  }
  for (const options of ['-c role=a', '--session-authorization=a', '-c User=a', '-c database=b'])
    t.throws(() => ask({ user: 'a', options }), refused)
  for (const replication of ['true', 'database', 'on', '1', ''])
    t.throws(() => ask({ user: 'a', replication }), refused)
  t.throws(() => ask({ user: 'a' }, { major: 2 }), { ...refused, message: /protocol 2\.0/ })
})

t.test('the same setting in two spellings is refused: PostgreSQL would take the last', async (t) => {
  t.throws(() => ask({ user: 'a', TimeZone: 'x', timezone: 'y' }), { code: 'PROTOCOL_ERROR', message: /"timezone"/ })
})

t.test('there is no session without a user', async (t) => {
  for (const parameters of [{}, { user: '' }] as Record<string, string>[])
    t.throws(() => ask(parameters), { code: 'PROTOCOL_ERROR', message: /no user/ })
})
