import { CompiledQuery } from 'kysely'
import t from 'tap'
import type { SessionStart } from '../../../src/sessions/session-store.ts'
import { StartedRows } from '../../../src/sessions/started-rows.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { waitUntil } from '../../wait-until.ts'

const start: SessionStart = { at: 1, detail: '{}' }
const starting = (id: string): CompiledQuery => CompiledQuery.raw(id)

t.test('what could not be stored is tried again each second, and told once', async (t) => {
  const lines: string[] = []
  const stored: string[][] = []
  let failures = 2
  const store = {
    starting,
    started: async (starts: ReadonlyMap<string, SessionStart>) => {
      if (failures-- > 0) throw new Error('away')
      stored.push([...starts.keys()])
    },
  }
  const logger = createLogger({ level: 'error', destination: { write: (line) => void lines.push(line) } })
  const rows = new StartedRows(store, logger)
  const awake = setInterval(() => {}, 1000) // its own timer keeps no process alive
  t.teardown(() => clearInterval(awake))
  const since = performance.now()
  rows.add('ses_1', start)
  await waitUntil(() => lines.length > 0)
  rows.add('ses_2', start)
  t.same(rows.take('ses_3'), undefined)
  await waitUntil(() => stored.length > 0)
  t.same(stored, [['ses_1', 'ses_2']])
  t.ok(performance.now() - since >= 1900, 'after two seconds')
  t.equal(lines.length, 1)
})

t.test('another transaction may take them along; when it fails, they wait again', async (t) => {
  const stored: string[][] = []
  const store = {
    starting,
    started: async (starts: ReadonlyMap<string, SessionStart>) => void stored.push([...starts.keys()]),
  }
  const rows = new StartedRows(store, createLogger({ level: 'silent' }))
  const awake = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(awake))
  rows.add('ses_1', start)
  rows.add('ses_2', start)
  t.same(
    rows.takeAll().writes.map(({ sql }) => sql),
    ['ses_1', 'ses_2'],
  )
  rows.add('ses_3', start)
  const { writes, putBack } = rows.takeAll()
  t.equal(writes.length, 1)
  t.same(rows.takeAll().writes, [], 'nobody else takes them')
  putBack()
  await waitUntil(() => stored.length > 0)
  t.same(stored, [['ses_3']])
})
