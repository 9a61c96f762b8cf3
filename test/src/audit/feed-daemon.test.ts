/** What a whole daemon does when its log is tampered with while it runs. */
import t, { type Test } from 'tap'
import { waitUntil } from '../../wait-until.ts'
import { smallConfig, startHere } from '../config/small-daemon.ts'
import { storeDatabases } from '../store/both-stores.ts'

async function start(t: Test) {
  const databases = await storeDatabases()
  const store = await databases.create()
  const { url, configFile } = await smallConfig(t, store)
  const log: { at: number; line: string }[] = []
  const daemon = await startHere(configFile, (line) => log.push({ at: performance.now(), line }))
  t.teardown(() => daemon.stop({ drainMs: 0 }))
  const database = new URL(store).pathname.slice(1)
  const when = (text: string) => log.find(({ line }) => line.includes(text))?.at
  return {
    when,
    query: (sql: string) => databases.server.query(database, sql),
    problems: async () => {
      const answer = await fetch(`${url}/readyz`).catch(() => undefined) // its port is opened anew meanwhile
      return answer?.status === 503 ? await answer.text() : ''
    },
  }
}

const deeds: Record<string, { readonly sql: string; readonly what: RegExp }> = {
  'its last event is deleted': {
    sql: 'delete from audit_events where seq = (select max(seq) from audit_events)',
    what: /is not the one that was written|names event \d+, but the log ends at event \d+/,
  },
  'an event is added without its key': {
    sql: `with added as (
        insert into audit_events select seq + 1, at, type, actor, body, null, hash, repeat('0', 64)
        from audit_events order by seq desc limit 1 returning seq, hash)
      update audit_head set seq = added.seq, hash = added.hash from added`,
    what: /were not written by this broker/,
  },
}

for (const [deed, { sql, what }] of Object.entries(deeds))
  t.test(`${deed}: the daemon closes within a second, and says why`, async (t) => {
    const { query, when, problems } = await start(t)
    t.equal(await problems(), '')
    await query(sql)
    const since = performance.now()
    await waitUntil(() => when('nothing opens any more') !== undefined, 'it is found')
    t.ok((when('nothing opens any more') ?? 0) - since < 1000)
    await waitUntil(() => when('closed: the store is not trusted') !== undefined, 'it begins anew, closed', 20_000)
    let said = ''
    await waitUntil(async () => {
      said = await problems()
      return said !== ''
    }, 'it is not ready')
    t.match(said, what)
  })
