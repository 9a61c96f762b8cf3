/** What one session costs the store, from the client's first byte to its last: the numbers may fall, not rise. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { companyIn } from '../../e2e/company.ts'
import { clientFor, issueToken } from '../../e2e/database-client.ts'
import { startSandbox } from '../../sandbox/sandbox.ts'
import { waitUntil } from '../../wait-until.ts'

const most = { messages: 3, statements: 16, commits: 2 }

t.setTimeout(120_000)

if (process.env.SALLYPORT_TEST_STORE === 'postgres') {
  t.comment('counted on SQLite only')
  process.exit(0)
}

const sandbox = await startSandbox()
const file = path.join(sandbox.dir, 'store-traffic')
const traffic = new URL('./store-traffic.ts', import.meta.url).href
const company = await companyIn(sandbox, {
  env: { NODE_OPTIONS: `--import ${traffic}`, SANDBOX_STORE_TRAFFIC: file },
})
t.teardown(() => company.close())
await company.grant()
const token = await issueToken(company)

t.test('one session makes few statements and few commits', async (t) => {
  await session() // the first use of a token is written down
  const costs = []
  for (let i = 0; i < 5; i += 1) costs.push(await session())
  // What the daemon does from time to time may fall into one of them.
  const [cost] = costs.sort((a, b) => a.statements - b.statements)
  for (const what of ['messages', 'statements', 'commits'] as const)
    t.ok((cost?.[what] ?? Infinity) <= most[what], `${cost?.[what]} ${what}, at most ${most[what]}`)
})

async function session() {
  const before = sent().length
  const client = clientFor(company, token)
  await client.connect()
  await client.query('select 1')
  await client.end()
  const during = () => sent().slice(before)
  const isClosed = () => /set "ended_at".*/s.test(during().flat().join('\n')) && !isOpen(during().flat())
  await waitUntil(isClosed, () => during().flat().join('\n'))
  const all = during().flat()
  return { messages: during().length, statements: all.length, commits: commits(all), all }
}

/** Apart from the question whether the store is there. */
function sent(): string[][] {
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line) as string[]).filter(([sql = '']) => !sql.includes('sqlite_schema'))
}

function isOpen(statements: readonly string[]): boolean {
  return statements.findLastIndex((sql) => sql.startsWith('begin')) > statements.lastIndexOf('commit')
}

/** Of transactions, and of single statements that write. */
function commits(statements: readonly string[]): number {
  let count = 0
  let isIn = false
  for (const sql of statements) {
    if (sql.startsWith('begin')) isIn = true
    else if (sql === 'commit') isIn = false
    if (!isIn && !sql.startsWith('select')) count += 1
  }
  return count
}
