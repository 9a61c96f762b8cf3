/** The primary of the store is killed under load, and its standby promoted: what was acknowledged is there, or nothing opens. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import type { Postgres } from '../sandbox/postgres.ts'
import { durable, startStoreDatabases } from '../sandbox/store-databases.ts'
import { waitUntil } from '../wait-until.ts'
import { clientFor, issueToken, openDatabase, refusal } from './database-client.ts'
import { eventsOf, foundIn, startOnWays } from './store-ways.ts'
import { daemonNames } from './two-daemons.ts'

t.setTimeout(400_000)
if (process.env.SALLYPORT_OUTAGE_SECONDS === undefined) {
  t.comment('runs in .ci/long, or with SALLYPORT_OUTAGE_SECONDS')
  process.exit(0)
}
const replicating = ['wal_level=replica', 'max_wal_senders=5', 'hot_standby=on', 'wal_keep_size=64MB', ...durable]

async function startPair(t: Test) {
  const databases = await startStoreDatabases(replicating)
  t.teardown(() => databases.close())
  const primary = databases.server
  const standby = await primary.standby({ tcp: {}, settings: ['max_connections=300', ...replicating] })
  t.teardown(() => standby.close())
  const isStreaming = async () =>
    (await primary.query('postgres', "select 1 from pg_stat_replication where state = 'streaming'")).rowCount === 1
  await waitUntil(isStreaming, 'the standby follows', 20_000, 100)
  const setting = async (sql: string) => {
    await primary.query('postgres', sql)
    await primary.query('postgres', 'select pg_reload_conf()')
  }
  const two = await startOnWays({ overrides: { store: { url: await databases.create(), grace: '20s' } } })
  t.teardown(() => two.close())
  const failOver = async () => {
    process.kill(primary.pid, 'SIGKILL')
    await standby.query('postgres', 'select pg_promote()')
    for (const name of daemonNames) two.ways[name].to(standby.tcpPort ?? 0)
  }
  return { two, primary, standby, setting, failOver }
}

t.test('synchronous replication: both go on, and nothing that was acknowledged is lost', async (t) => {
  const { two, setting, failOver } = await startPair(t)
  await setting("alter system set synchronous_standby_names = 'standby'")
  const { at } = two
  await at.a.grant()
  const running = await openDatabase(at.a)
  let isOver = false
  const asked: string[] = []
  const ask = async (door: typeof at.a) => {
    while (!isOver) {
      const body = { resource: 'orders', level: 'readonly', durationMs: 3_600_000, reason: 'load' }
      const response = await door.call('alice', 'POST', '/api/v1/requests', body).catch(() => undefined)
      const text = await response?.text().catch(() => '')
      if (response?.ok) asked.push((JSON.parse(text ?? '') as { request: { id: string } }).request.id)
      const { id } = JSON.parse(text || '{}').request ?? {}
      if (id !== undefined) await door.call('alice', 'POST', `/api/v1/requests/${id}/cancel`, {}).catch(() => undefined)
    }
  }
  const load = [ask(at.a), ask(at.b)]
  await waitUntil(() => asked.length > 5, 'there is load', 30_000)
  const before = asked.length
  await failOver()
  await two.bothReady(60_000)
  await waitUntil(() => asked.length > before + 2, 'it goes on', 60_000)
  isOver = true
  await Promise.all(load)
  for (const id of asked) t.equal((await eventsOf(at.b, 'request.created', id)).length, 1, id)
  t.equal((await running.client.query('select 1')).rowCount, 1, 'what ran runs on')
  await running.client.end()
  for (const name of daemonNames) await (await openDatabase(at[name])).client.end()
  t.same(await foundIn(at.a), [])
})

t.test('asynchronous, and the last events are lost: nothing opens, and /readyz says what to do', async (t) => {
  const { two, primary, failOver } = await startPair(t)
  const { at } = two
  const { id } = await at.a.grant()
  const session = await openDatabase(at.a)
  const tokens = await Promise.all(daemonNames.map((name) => issueToken(at[name])))
  await cutStandbyOff(primary)
  await at.b.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })
  t.match(await session.lost, { code: '57P01' })
  await failOver()
  for (const [i, name] of daemonNames.entries()) {
    const says = async () => (await two.problems(name).catch(() => [])).join(' ') // it begins anew, closed
    await waitUntil(async () => /sallyport restore --config/.test(await says()), `${name} says what to do`, 60_000, 200)
    const { message } = await refusal(clientFor(at[name], tokens[i] as (typeof tokens)[number]))
    t.not(message, 'it opened')
  }
})

/** `all` of pg_hba.conf is not replication. */
async function cutStandbyOff(primary: Postgres): Promise<void> {
  const rules = 'local all all trust\nhost all all 127.0.0.1/32 trust\n'
  writeFileSync(path.join(primary.socketDir, 'data', 'pg_hba.conf'), rules)
  await primary.query('postgres', 'select pg_reload_conf()')
  await primary.query('postgres', 'select pg_terminate_backend(pid) from pg_stat_replication')
  const isOff = async () => (await primary.query('postgres', 'select from pg_stat_replication')).rowCount === 0
  await waitUntil(isOff, 'the standby hears nothing more')
}
