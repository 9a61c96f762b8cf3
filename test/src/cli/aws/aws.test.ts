import { test } from 'tap'
import { toProfiles, toSsoProfiles, withProfiles } from '../../../../src/cli/aws/configure.ts'
import { type RoleCredentials, SharedCredentials } from '../../../../src/cli/aws/role.ts'
import { chooseShell, setVariable } from '../../../../src/cli/aws/shell-text.ts'
import { readHelperAsk, verbFirst } from '../../../../src/cli/aws/words.ts'
import { openOneTimePage } from '../../../../src/cli/login/one-time-page.ts'

test('the role may come first', (t) => {
  const swapped = (line: string) => verbFirst(line.split(' ')).join(' ')
  t.equal(swapped('aws Deployer env'), 'aws env Deployer')
  t.equal(
    swapped('--server https://x aws Deployer exec -- aws s3 ls'),
    '--server https://x aws exec Deployer -- aws s3 ls',
  )
  t.equal(swapped('aws Deployer credential-process --level full'), 'aws credential-process Deployer --level full')
  for (const same of [
    'aws env Deployer',
    'aws configure',
    'aws exec env env',
    'ls',
    'psql aws env',
    'aws --help',
    'aws',
  ])
    t.equal(swapped(same), same)
  t.end()
})

test('what is nothing but credential-process is read without the whole command line', (t) => {
  const read = (line: string) => readHelperAsk(line.split(' '))
  t.same(read('aws Deployer credential-process'), { role: 'Deployer' })
  t.same(read('--server https://x aws credential-process Deployer --level full'), {
    role: 'Deployer',
    level: 'full',
    server: 'https://x',
  })
  for (const other of [
    'aws credential-process',
    'aws credential-process a b',
    'aws credential-process a --help',
    'aws credential-process a --level',
    'request x --reason credential-process',
    'aws env Deployer',
  ])
    t.equal(read(other), null, other)
  t.end()
})

const role = (account: string, name: string, levels: string[], grants: string[] = []) => ({
  id: `iam-role/${account}/${name}`,
  account,
  name,
  levels,
  grants: grants.map((level) => ({ level })),
})

test('profiles are named as shortly as they can be', (t) => {
  const names = (roles: Parameters<typeof toProfiles>[0]) =>
    toProfiles(roles, 's-', ['sallyport']).map(({ name }) => name)
  t.same(names([role('1', 'A', ['full'])]), ['s-A'])
  t.same(names([role('1', 'A', ['full'], ['readonly'])]), ['s-A-full', 's-A-readonly'])
  t.same(names([role('1', 'A', ['full']), role('2', 'A', ['full'])]), ['s-1-A', 's-2-A'])
  const [profile] = toProfiles([role('1', 'A', ['full'])], '', ['/opt/my tools/node', '/x/main.js'])
  t.equal(profile?.command, '"/opt/my tools/node" /x/main.js aws credential-process iam-role/1/A --level full')
  t.end()
})

test('configure keeps what is there, replaces what is its own, and takes it out again', (t) => {
  const theirs = '# mine\n[default]\nregion = eu-west-1\n\n[profile x]\nrole_arn = y'
  const profiles = (name: string) => [{ name, resource: 'r', level: 'l', command: 'c' }]
  const once = withProfiles(theirs, profiles('sallyport-a'))
  t.ok(once.startsWith(theirs))
  t.match(once, /\n\[profile sallyport-a\]\ncredential_process = c\n# end/)
  const twice = withProfiles(`${once}\n[profile later]\nregion = x\n`, profiles('sallyport-b'))
  t.notMatch(twice, /sallyport-a/)
  t.match(twice, /\[profile later\]\nregion = x\n\n# begin[\s\S]*sallyport-b/)
  t.equal(withProfiles(withProfiles(theirs, profiles('a')), []).trimEnd(), theirs)
  t.equal(withProfiles(withProfiles('', profiles('a')), []), '')
  t.equal(withProfiles(once, profiles('sallyport-a')), once, 'the same again is no change')
  t.throws(() => withProfiles(theirs, profiles('x')), { code: 'CONFIG_INVALID', message: /profile x already exists/ })
  const damaged = once.replace(/^# end.*$/m, '')
  t.throws(() => withProfiles(damaged, profiles('a')), { code: 'CONFIG_INVALID', message: /damaged/ })
  t.end()
})

test('text for shells: nothing in a value means anything', (t) => {
  const value = `a'b"c\\d$e\`f`
  t.equal(setVariable('bash', 'X', value), `export X='a'\\''b"c\\d$e\`f'`)
  t.equal(setVariable('fish', 'X', value), `set -gx X 'a\\'b"c\\\\d$e\`f'`)
  t.equal(setVariable('powershell', 'X', value), `$Env:X = 'a''b"c\\d$e\`f'`)
  t.equal(setVariable('bash', 'X', undefined), 'unset X')
  t.equal(setVariable('fish', 'X', undefined), 'set -e X')
  t.equal(setVariable('powershell', 'X', undefined), 'Remove-Item Env:X -ErrorAction SilentlyContinue')
  t.equal(chooseShell(undefined, { SHELL: '/usr/bin/fish' }), 'fish')
  t.equal(chooseShell(undefined, { SHELL: '/bin/zsh' }), 'bash')
  t.throws(() => chooseShell('csh', {}), { code: 'INVALID_INPUT' })
  t.end()
})

test('many who ask at once cost one call; half a second later it is asked again; a failure is not kept', async (t) => {
  let [calls, now, fails] = [0, 0, false]
  const shared = new SharedCredentials(
    async () => {
      calls++
      if (fails) throw new Error('revoked')
      return { accessKeyId: `key ${calls}` } as RoleCredentials
    },
    () => now,
  )
  await Promise.all(Array.from({ length: 50 }, () => shared.get()))
  t.equal(calls, 1)
  now = 499
  t.equal((await shared.get()).accessKeyId, 'key 1')
  now = 500
  t.equal((await shared.get()).accessKeyId, 'key 2')
  fails = true
  now = 1000
  await t.rejects(shared.get(), /revoked/)
  fails = false
  t.equal((await shared.get()).accessKeyId, 'key 4')
})

test('a one-time page leads one visitor on, and nobody else', async (t) => {
  const page = await openOneTimePage('https://signin.example/?SigninToken=secret', 60_000)
  t.teardown(() => page.close())
  t.notMatch(page.url, /secret/)
  const visit = (url: string) => fetch(url, { redirect: 'manual' })
  t.equal((await visit(new URL('/', page.url).href)).status, 404)
  t.equal((await visit(`${page.url}x`)).status, 404)
  t.equal((await fetch(page.url, { method: 'POST' })).status, 404)
  const first = await visit(page.url)
  t.equal(first.status, 302)
  t.equal(first.headers.get('location'), 'https://signin.example/?SigninToken=secret')
  t.equal(first.headers.get('referrer-policy'), 'no-referrer')
  t.equal(await page.visited, true)
  t.equal((await visit(page.url)).status, 410)
  const lonely = await openOneTimePage('https://signin.example/', 20)
  t.equal(await lonely.visited, false)
  lonely.close()
})

test('profiles of permission sets that one holds sign in to the portal', (t) => {
  const push = (state: 'granted' | 'granting', portal: string | null) => ({
    state,
    portal,
    reason: null,
    region: 'eu-west-1',
  })
  const portal = 'https://d-1.awsapps.com/start/#/console?account_id=1&role_name=ReadOnly'
  const grant = (resourceId: string, of: ReturnType<typeof push> | null) => ({
    kind: resourceId.startsWith('permission-set/') ? 'permission-set' : 'iam-role',
    resourceId,
    level: 'assigned',
    push: of,
  })
  const names = (taken: string[], ...resources: string[]) =>
    toSsoProfiles(
      resources.map((one) => grant(one, push('granted', portal))),
      's-',
      new Set(taken),
    ).map(({ name }) => name)
  t.same(names([], 'permission-set/1/ReadOnly', 'permission-set/1/ReadOnly'), ['s-ReadOnly'])
  t.same(names([], 'permission-set/1/ReadOnly', 'permission-set/2/ReadOnly'), ['s-1-ReadOnly', 's-2-ReadOnly'])
  t.same(names(['s-ReadOnly'], 'permission-set/1/ReadOnly'), ['s-1-ReadOnly'])
  t.same(
    toSsoProfiles(
      [
        grant('permission-set/1/A', push('granting', portal)),
        grant('permission-set/1/B', push('granted', null)),
        grant('iam-role/1/C', null),
      ],
      '',
      new Set(),
    ),
    [],
    'nothing that is not there yet, or of a portal that is not known',
  )
  const [profile] = toSsoProfiles([grant('permission-set/1/ReadOnly', push('granted', portal))], '', new Set())
  t.match(
    withProfiles('', profile ? [profile] : []),
    /\[profile ReadOnly\]\nsso_start_url = https:\/\/d-1.awsapps.com\/start\nsso_region = eu-west-1\nsso_account_id = 1\nsso_role_name = ReadOnly\n/,
  )
  t.end()
})
