/** A commit whose answer is still on its way, seen by the feed first. */
import t from 'tap'
import { prepareEvent } from '../../../src/audit/append/prepare-event.ts'
import type { StoredEvent } from '../../../src/audit/audit-store.ts'
import { type ChainRow, genesis, link } from '../../../src/audit/chain.ts'
import { Feed } from '../../../src/audit/feed.ts'
import { type Head, headText } from '../../../src/audit/head.ts'
import { created } from './start-audit.ts'

const installation = 'ins_test'
const keyring = {
  mac: (_: string, text: string) => `mac of ${text}`,
  checkMac: (_: string, text: string, mac: string) => mac === `mac of ${text}`,
}
const start = { seq: 0, hash: genesis(installation) }

function chain(names: readonly string[]): StoredEvent[] {
  const rows: ChainRow[] = []
  for (const name of names) {
    const before = rows.at(-1) ?? start
    rows.push(link({ ...prepareEvent({ ...created(name), text: {} }, 1) }, before.seq + 1, before.hash))
  }
  return rows.map((row) => ({ ...row, salt: null, text: null }))
}

function headOf(rows: readonly StoredEvent[]): Head {
  const { seq, hash } = rows.at(-1) ?? start
  return { id: 1, installation, seq, hash, mac: keyring.mac('', headText({ installation, seq, hash })) }
}

function openFeed(rows: readonly StoredEvent[]) {
  const told: string[] = []
  const feed = new Feed({
    ...{ keyring, installation, known: start, elapsedMs: () => 0 },
    store: {
      headAndEvents: async (seq) => ({ head: headOf(rows), events: rows.filter((row) => row.seq >= seq) }),
      page: async (after, limit) => rows.filter((row) => row.seq > after).slice(0, limit),
    },
    mark: { advance: async () => {} },
    tell: ({ fields }, from) => told.push(`${fields.grant} ${from}`),
    onDamaged: (what) => told.push(what),
  })
  return { feed, told }
}

const names = ['grt_other1', 'grt_own', 'grt_other2']

for (const outcome of ['succeeds', 'fails'] as const)
  t.test(`the answer says that it ${outcome}`, async (t) => {
    const rows = chain(names)
    const { feed, told } = openFeed(rows)
    const { promise: answer, resolve, reject } = Promise.withResolvers<void>()
    const own = rows[1] as StoredEvent
    const committing = feed.commit(async (watch) => {
      watch.onHead(headOf(rows.slice(0, 1)))
      const record = {
        type: 'grant.created',
        actor: 'prn_alice',
        fields: { grant: 'grt_own' },
        seq: own.seq,
        at: own.at,
        hash: own.hash,
      } as const
      watch.onLinked([record])
      await answer
      return [record]
    })
    await feed.catchUp()
    t.same(told, ['grt_other1 elsewhere'], 'what comes before it is told')
    if (outcome === 'succeeds') {
      resolve()
      await committing
    } else {
      reject(new Error('the connection is lost'))
      await t.rejects(committing)
    }
    await feed.catchUp()
    t.same(told, [
      'grt_other1 elsewhere',
      `grt_own ${outcome === 'succeeds' ? 'here' : 'elsewhere'}`,
      'grt_other2 elsewhere',
    ])
  })
