/** Lines as MySQL 8.0 and MariaDB 10.11 print them ("SHOW GRANTS Statement" of both). */
import t from 'tap'
import { isPatternOf, readGrants } from '../../../../src/kinds/rds-mysql/grants.ts'

t.test('privileges, where they hold, and whether they may be given on', async (t) => {
  const { grants, roles, isProxy, unread } = readGrants([
    'GRANT USAGE ON *.* TO `app_ro`@`%`',
    "GRANT USAGE ON *.* TO `app_ro`@`%` IDENTIFIED BY PASSWORD '*6BB4837EB74329105EE4568DDA7DC67ED2CA2AD9' REQUIRE SSL",
    'GRANT SELECT, SHOW VIEW ON `it\\_s`.* TO `app_ro`@`%`',
    'GRANT SELECT (`id`, `name`), INSERT (`id`) ON `a``b`.`orders` TO `app_ro`@`%` WITH GRANT OPTION',
    'GRANT EXECUTE ON PROCEDURE `orders`.`two_results` TO `app_ro`@`%`',
    "GRANT PROXY ON ''@'' TO 'app_ro'@'%' WITH GRANT OPTION",
    'GRANT `readers`@`%`,`writers`@`%` TO `app_ro`@`%`',
    'SET DEFAULT ROLE `readers` FOR `app_ro`@`%`',
    'REVOKE SELECT ON `mysql`.* FROM `app_ro`@`%`',
    'GRANT SOMETHING NEW',
  ])
  t.same(grants, [
    { privileges: [], scope: 'global', database: '', mayGrant: false },
    { privileges: [], scope: 'global', database: '', mayGrant: false },
    { privileges: ['SELECT', 'SHOW VIEW'], scope: 'database', database: 'it\\_s', mayGrant: false },
    { privileges: ['SELECT', 'INSERT'], scope: 'object', database: 'a`b', mayGrant: true },
    { privileges: ['EXECUTE'], scope: 'object', database: 'orders', mayGrant: false },
  ])
  t.same(roles, ['readers', 'writers'])
  t.equal(isProxy, true)
  t.equal(unread, 1)
})

t.test('the name of a database is a pattern', async (t) => {
  for (const [pattern, name, is] of [
    ['orders', 'orders', true],
    ['order_', 'orders', true],
    ['order\\_', 'orders', false],
    ['order\\_', 'order_', true],
    ['o%', 'orders', true],
    ['a.c', 'abc', false],
    ['a\\\\b', 'a\\b', true],
  ] as const)
    t.equal(isPatternOf(pattern, name), is, `${pattern} ${name}`)
})
