/** `aws validate RESOURCE` where it does not come to its end: targets that hang, too many at once, a daemon that is killed. */
import t from 'tap'
import { startDaemon } from '../sandbox/daemon.ts'
import { skipWithoutMariaDb } from '../sandbox/mysql/mariadb.ts'
import { mysqlOf } from '../sandbox/sandbox.ts'
import { waitFor, waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'
import { openSessions } from './store-ways.ts'

const absent = skipWithoutMariaDb()
if (absent) t.plan(0, absent)
else await testEndings()

async function testEndings(): Promise<void> {
  t.setTimeout(180_000)
  const company = await startCompany({ sandbox: { mysql: {} } })
  t.teardown(() => company.close())
  const { shop } = mysqlOf(company.sandbox)
  interface Report {
    readonly session: string
    readonly ok: boolean
    readonly checks: readonly { readonly check: string; readonly outcome: string; readonly detail: string }[]
  }
  const look = (resource = 'shop') => company.call('dave', 'POST', '/api/v1/aws/preflight', { resource })
  const report = async (asked: Promise<Response>) => (await (await asked).json()) as Report
  const reasonOf = async (session: string) => {
    const path = `/api/v1/audit/events?type=session.ended&subject=${session}`
    const ended = async () =>
      (await company.api<{ events: { fields: { reason: string } }[] }>('carol', 'GET', path)).events[0]
    return (await waitFor(ended, `the log has the end of ${session}`, 10_000, 50)).fields.reason
  }

  await t.test('two at once, of one target', async (t) => {
    const both = await Promise.all([report(look()), report(look())])
    t.same(
      both.map(({ ok }) => ok),
      [true, true],
    )
    t.not(both[0]?.session, both[1]?.session)
    for (const { session } of both) t.equal(await reasonOf(session), 'client-closed')
  })

  await t.test('a target that hangs is given up in time, and no more than four wait for one', async (t) => {
    const since = performance.now()
    shop.faults.hang('greeting')
    const { connections } = shop
    const mute = [look(), look()]
    await waitUntil(() => shop.connections === connections + 2, 'both wait for its greeting')
    shop.faults.hang('session')
    const silent = [look(), look()]
    await waitUntil(() => shop.open === 2, 'both have signed in')
    const fifth = await look()
    t.equal(fifth.status, 429)
    t.match(await fifth.json(), { code: 'RATE_LIMITED' })
    for (const asked of [...mute, ...silent]) {
      const { ok, checks, session } = await report(asked)
      t.equal(ok, false)
      t.match(checks.at(-1), { check: 'connection', outcome: 'fail', detail: /no answer in time|lost/ })
      t.match(await reasonOf(session), /open-failed|upstream-failed|client-closed/)
    }
    t.ok(performance.now() - since < 40_000, 'within their deadline')
    await waitUntil(() => shop.open === 0, 'nothing is left at the target')
    shop.faults.hang(null)
    t.equal((await report(look())).ok, true, 'and the next one may look')
  })

  await t.test('a daemon that is killed meanwhile leaves nothing open', async (t) => {
    shop.faults.hang('session')
    const asked = look().catch(() => 'lost')
    await waitUntil(() => shop.open === 1, 'it has signed in')
    const open = await openSessions(company)
    t.equal(open.length, 1)
    company.daemon.signal('SIGKILL')
    await company.daemon.exited
    t.equal(await asked, 'lost')
    await waitUntil(() => shop.open === 0, 'nothing is left at the target')
    shop.faults.hang(null)
    company.daemon = await startDaemon(company.sandbox, { files: company.daemon })
    t.same(await openSessions(company), [])
    t.equal(await reasonOf(open[0] ?? ''), 'daemon-lost')
    const { problems } = await company.api<{ problems: unknown[] }>('carol', 'GET', '/api/v1/audit/verify')
    t.same(problems, [])
    t.equal((await report(look())).ok, true)
  })

  await t.test('sixty a minute', async (t) => {
    let status = 0
    for (let i = 0; i <= 60 && status !== 429; i += 1) status = (await look('nothing-of-this-name')).status
    t.equal(status, 429)
  })
}
