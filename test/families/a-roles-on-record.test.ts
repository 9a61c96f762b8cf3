/** A3: the password of a role is redacted whatever the role is called, and nothing else of the statement. A real server is the referee. */
import t from 'tap'
import { startPostgres } from '../sandbox/postgres.ts'
import { redacted } from './a-redacted.ts'

const postgres = await startPostgres()
t.teardown(() => postgres.close())

t.test('A3: roles that are called as the words of the syntax', async (t) => {
  const texts = [
    "create user admin password 'hunter2'",
    "create role role password 'hunter2'",
    "create role mapping login password 'hunter2'",
    "create role password password 'hunter2'",
    "alter user admin password 'hunter2'",
    "alter user mapping password 'hunter2'",
    'alter role "role" password \'hunter2\'',
    "create role a in role admin password 'hunter2'",
    "create role b admin role, admin password 'hunter2'",
    "create role c role password, role password 'hunter2'",
    "create user d in group mapping password 'hunter2'",
  ]
  for (const text of texts) {
    await postgres.query('orders', text)
    t.equal(redacted(text), text.replace("'hunter2'", '[redacted]'))
  }
})

t.test('A3: a role called `password` is no password', async (t) => {
  const texts = [
    'create role e in role password login',
    'create role f admin password, role',
    "create role g user password valid until '2040-01-01'",
    "alter role password valid until '2040-01-01'",
    'alter group password add user e',
  ]
  for (const text of texts) {
    await postgres.query('orders', text)
    t.equal(redacted(`${text}; select 'kept'`), `${text}; select 'kept'`)
  }
})

t.test('A3: user mappings, of users with any name', async (t) => {
  for (const what of ['user mapping for password server s', 'user mapping if not exists for mapping server s']) {
    const text = `create ${what} options (user 'kept', password 'hunter2')`
    t.equal(redacted(text), text.replace("'hunter2'", '[redacted]'))
  }
})
