import t, { type Test } from 'tap'
import { createPerson } from '../../../sandbox/person.ts'
import { startLoginServer, startProvider } from '../../http/login-setup.ts'
import { openTerminal } from '../run-cli.ts'

async function signedIn(t: Test, account: string) {
  const provider = await startProvider(t)
  const setup = await startLoginServer(t, provider)
  await createPerson(account).signIn(`${setup.url}/login`)
  const [begun] = setup.logins.begun
  const env = { SALLYPORT_SERVER: setup.url, SALLYPORT_TOKEN: begun?.secret }
  return { ...setup, terminal: openTerminal(t, null, env) }
}

t.test('API tokens are made, listed and revoked; connect tokens too', async (t) => {
  const { terminal, calls } = await signedIn(t, 'alice')
  const made = await terminal.run(
    'tokens',
    'create',
    'ci',
    '--scope',
    'read',
    'connect',
    '--for',
    '2h',
    '--cidr',
    '10.0.0.0/8',
  )
  t.match(made, { code: 0, stdout: 'spa_secret\n', stderr: /is valid until .* with the scopes read, connect/ })
  t.same(calls[0], [
    'create',
    'alice',
    { name: 'ci', scopes: ['read', 'connect'], durationMs: 7_200_000, cidr: '10.0.0.0/8' },
  ])
  const ls = await terminal.run('tokens', 'ls')
  t.match(ls.stdout, /api_0{26} +ci +read +10\.0\.0\.0\/8/)
  t.match(ls.stdout, /t_k{16} +rds-postgres\/1\/r\/orders +ro +anywhere/)
  t.match(JSON.parse((await terminal.run('tokens', 'ls', '--json')).stdout), {
    apiTokens: { items: [{ name: 'ci' }], next: null, total: 1 },
    connectTokens: { items: [{ level: 'ro' }], next: null, total: 1 },
  })
  t.match(await terminal.run('tokens', 'revoke', `api_${'0'.repeat(26)}`), { code: 0, stdout: /was revoked/ })
  t.match(await terminal.run('tokens', 'revoke', `t_${'k'.repeat(16)}`), { code: 0, stdout: /was revoked/ })
  t.same(calls.slice(1), [
    ['revoke', `api_${'0'.repeat(26)}`],
    ['revoke-connect', 'k'.repeat(16)],
  ])
})

t.test('an API token without a name or a scope is a usage error', async (t) => {
  const { terminal, calls } = await signedIn(t, 'alice')
  t.match(await terminal.run('tokens', 'create', '--scope', 'read'), { code: 2, stderr: /needs a name and --scope/ })
  t.match(await terminal.run('tokens', 'create', 'ci'), { code: 2, stderr: /needs a name and --scope/ })
  t.match(await terminal.run('tokens', 'create', 'ci', '--scope', 'everything'), { code: 2, stderr: /Allowed choices/ })
  t.match(await terminal.run('tokens', 'create', 'ci', '--resource', 'orders'), { code: 2, stderr: /has no name/ })
  t.same(calls, [])
})

t.test('an admin locks by any name of a person, and unlocks; others may not', async (t) => {
  const { terminal, calls } = await signedIn(t, 'dave')
  const locked = await terminal.run('lock', 'a/b@example.com', '--reason', 'laptop stolen')
  t.match(locked, { code: 0, stdout: 'a/b@example.com (prn_x) is locked\n' })
  t.match(await terminal.run('unlock', 'prn_x'), { code: 0, stdout: /may sign in again/ })
  t.same(calls, [
    ['lock', 'a/b@example.com', 'laptop stolen'],
    ['unlock', 'prn_x', ''],
  ])
  const other = await signedIn(t, 'alice')
  t.match(await other.terminal.run('lock', 'prn_x'), { code: 4, stderr: /your role does not allow this/ })
  t.same(other.calls, [])
})
