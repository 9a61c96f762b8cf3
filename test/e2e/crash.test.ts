/** `kill -9` in the middle of work: what was acknowledged is in the log, what was open is closed, what ran out has ended. */
import t from 'tap'
import { startDaemon } from '../sandbox/daemon.ts'
import { quietFor, waitUntil } from '../wait-until.ts'
import { checkBooks, listAll, revokeTokens, subjects } from './books.ts'
import { startCompany } from './company.ts'
import { type DatabaseClient, issueToken, openDatabase } from './database-client.ts'

const kills = Number(process.env.SALLYPORT_KILLS ?? 2)
t.setTimeout(120_000 + kills * 60_000)

const company = await startCompany()
t.teardown(() => company.close())
await company.grant()

const acknowledged = { tokens: [] as string[], sessions: [] as string[] }

for (let round = 1; round <= kills; round += 1)
  await t.test(`killed under load, round ${round}`, async (t) => {
    const brief = await company.grant(3_000)
    const work = startWork()
    await work.isBusy
    company.daemon.signal('SIGKILL')
    await company.daemon.exited
    const killedAt = Date.now()
    await work.ended
    await quietFor(Math.max(0, killedAt + 3_000 - Date.now()), 'the brief grant runs out while the daemon is down')
    company.daemon = await startDaemon(company.sandbox, { files: company.daemon, readyWithinMs: 60_000 })

    const sessions = await checkBooks(t, company, acknowledged)
    const open = sessions.filter(({ id }) => work.open.has(id))
    t.equal(open.length, work.open.size)
    for (const { id, endReason } of open) t.equal(endReason, 'daemon-lost', id)

    const grants = await listAll<{ id: string; state: string }>(company, 'dave', '/api/v1/grants?all=true&')
    t.equal(grants.find(({ id }) => id === brief.id)?.state, 'expired')
    const isLogged = async () => (await subjects(company, 'grant.expired', 'grant')).includes(brief.id)
    await waitUntil(isLogged, 'the log says that the brief grant ran out', 20_000, 50) // what removes access takes effect first

    const { client } = await openDatabase(company)
    t.equal((await client.query('select count(*) from orders')).rowCount, 1, 'the next session works')
    await client.end()
    await revokeTokens(company)
  })

/** Three clients that query all the time, one that comes and goes, and one that is given tokens; until the daemon is gone. */
function startWork() {
  const open = new Set<string>()
  let busy = 0
  const { promise: isBusy, resolve } = Promise.withResolvers<void>()
  const note = () => {
    if (++busy === 60) resolve()
  }
  const untilLost = async (work: () => Promise<unknown>) => {
    try {
      for (;;) {
        await work()
        note()
      }
    } catch {
      // the daemon is gone: everything before was acknowledged
    }
  }
  const query = async ({ client, sessionId }: DatabaseClient) => {
    acknowledged.sessions.push(sessionId)
    open.add(sessionId)
    await untilLost(() => client.query('select id, status from orders where id = $1', [busy]))
  }
  const comeAndGo = async () => {
    const { client, sessionId } = await openDatabase(company)
    acknowledged.sessions.push(sessionId)
    await client.end()
  }
  const takeToken = async () => {
    acknowledged.tokens.push((await issueToken(company)).id)
  }
  const opened = [1, 2, 3].map(() => openDatabase(company))
  const queries = opened.map(async (database) => await query(await database))
  const ended = Promise.all([...queries, untilLost(comeAndGo), untilLost(takeToken)])
  return { open, isBusy: Promise.all([isBusy, ...opened]), ended }
}
