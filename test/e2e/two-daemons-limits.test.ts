/** What is used up at one daemon is used up at the other; a disk that is full at one is not full at the other. */
import { rmSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { fillDisk, mountSmallDisk, withoutDisk } from '../sandbox/small-disk.ts'
import { quietFor, waitUntil } from '../wait-until.ts'
import { cancel } from './cancel.ts'
import { clientFor, issueToken, openDatabase, refusal } from './database-client.ts'
import { type DaemonName, startTwoDaemons } from './two-daemons.ts'

t.setTimeout(200_000)
const strict = { readonly: { db_user: 'sallyport_ro', databases: ['*'], recording: 'strict' as const } }
const two = await startTwoDaemons({
  overrides: {
    recordings: { reserve: '1MB', max_per_principal: '400KB' },
    levels: [
      { for: { kinds: ['rds-postgres'] }, ...strict },
      { for: { kinds: ['iam-role'] }, readonly: {}, full: {} },
    ],
  },
})
const { a, b } = two.at
const unmount = mountSmallDisk(two.daemons.a.recordingsDir, 8)
t.teardown(async () => {
  await two.daemons.a.stop()
  unmount?.()
  await two.close()
})
const readiness = async (name: DaemonName) => await (await fetch(`${two.daemons[name].url}/readyz`)).text()
const verify = (name: DaemonName) =>
  two.at[name].api<{ problems: unknown[]; notes: string[] }>('carol', 'GET', '/api/v1/audit/verify')

await t.test(
  'the disk for recordings is full at one daemon: it opens nothing and says why, the other goes on',
  { skip: unmount ? false : withoutDisk },
  async (t) => {
    const { id } = await a.grant()
    const [here, there] = [await openDatabase(a), await openDatabase(b)]
    const token = await issueToken(a)
    const ballast = path.join(two.daemons.a.recordingsDir, 'ballast')
    fillDisk(ballast)

    await waitUntil(async () => (await readiness('a')).includes('recordings.dir'), 'readyz says which disk it is')
    t.match(await refusal(clientFor(a, token)), { code: '57P01', message: /recording cannot be written/ })
    await t.rejects(
      here.client.query(`select length('${'x'.repeat(1000)}')`),
      { code: '57P01', message: /recording cannot be written/ },
      'a level whose recording is strict answers nothing that is not on record',
    )

    t.match(await readiness('b'), /"ready"/)
    t.equal((await there.client.query('select 1')).rowCount, 1, 'what runs at the other runs on')
    const another = await openDatabase(b)
    t.equal((await another.client.query('select 1')).rowCount, 1)
    await another.client.end()
    t.equal((await a.call('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'full disk' })).status, 200)
    t.match(await there.lost, { code: '57P01', message: /full disk/ })

    rmSync(ballast)
    await waitUntil(async () => (await readiness('a')).includes('"ready"'), 'it is ready again')
    await a.grant()
    const again = await openDatabase(a)
    await again.client.end()
    for (const name of ['a', 'b'] as const) t.same((await verify(name)).problems, [])
  },
)

await t.test('wrong cancel keys that one daemon has counted block their address at the other', async (t) => {
  await b.grant()
  const { client } = await openDatabase(b)
  const ca = two.sandbox.authority.cert
  const sleeping = client.query('select pg_sleep(4)').then(
    () => 'slept',
    (error: { code?: string }) => error.code,
  )
  for (let i = 0; i < 10; i++) await cancel(client, two.daemons.a.postgresPort, ca, true)
  await quietFor(2100, 'each daemon tells the others once a second')
  await cancel(client, two.daemons.b.postgresPort, ca)
  t.equal(await sleeping, 'slept')
  await client.end()
})

await t.test('what a person has recorded at one daemon counts at the other', async (t) => {
  const token = await issueToken(b)
  const { client } = await openDatabase(a)
  const record = async () => {
    for (let i = 0; i < 100; i++) await client.query(`select length('${'x'.repeat(10_000)}')`)
  }
  await t.rejects(record(), { code: '57P01', message: /recordings of today/ })
  const isRefused = async () => /recordings of today/.test((await refusal(clientFor(b, token))).message)
  await waitUntil(isRefused, 'the other refuses', 5000, 200)
})

await t.test('credentials that one daemon refused too often are not looked up at the other', async (t) => {
  const guess = async (name: DaemonName, i: number) =>
    await fetch(`${two.daemons[name].url}/api/v1/whoami`, { headers: { authorization: `Bearer guess-${i}` } })
  t.equal((await b.call('carol', 'GET', '/api/v1/whoami')).status, 200)
  t.equal((await guess('b', 0)).status, 401)
  for (let i = 0; i < 600; i += 20) await Promise.all(Array.from({ length: 20 }, (_, j) => guess('a', i + j)))
  t.equal((await guess('a', 600)).status, 429)
  await waitUntil(async () => (await guess('b', 1)).status === 429, 'the other refuses as well', 5000, 200)
  t.equal((await b.call('carol', 'GET', '/api/v1/whoami')).status, 200, 'those that were right before go on')
})
