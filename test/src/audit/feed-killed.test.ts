/** Daemons write to one log and are killed; who reads it along is told exactly what the log says. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import t from 'tap'
import { waitUntil } from '../../wait-until.ts'
import { allEvents, openDaemons, places } from './feed-setup.ts'
import type { WriterOptions } from './feed-writer.ts'
import { created, newDir } from './start-audit.ts'

const program = fileURLToPath(new URL('./feed-writer.ts', import.meta.url))

function startWriter(options: WriterOptions) {
  const child: ChildProcess = spawn(process.execPath, [program, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const acknowledged: string[] = []
  const other: Record<string, string>[] = []
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    const said = JSON.parse(line) as Record<string, string>
    if (said.acknowledged) acknowledged.push(said.acknowledged)
    else other.push(said)
  })
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  return {
    acknowledged,
    other,
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    },
    end: async () => {
      child.stdin?.write('end\n')
      await exited
    },
  }
}

t.test('writers are killed and come again: the reader is told what a full read finds', async (t) => {
  const { daemons, place, keysDir } = await openDaemons(t, 1)
  const reader = daemons[0] as (typeof daemons)[0]
  await reader.audit.start()
  const homes = [newDir(t), newDir(t), newDir(t)]
  let starts = 0
  const start = (home: number) =>
    startWriter({ place, keysDir, dir: homes[home] as string, name: `${home}x${starts++}` })
  const writers = homes.map((_, home) => start(home))
  const all = [...writers]
  for (const [round, home] of [0, 1, 2, 1].entries()) {
    const victim = writers[home] as (typeof writers)[0]
    const least = 10 + 7 * round
    await waitUntil(() => victim.acknowledged.length >= least, `writer ${home} has appended`, 60_000)
    await reader.audit.append(created(`grt_reader_${round}`))
    await victim.kill()
    const next = start(home)
    writers[home] = next
    all.push(next)
  }
  for (const writer of writers) {
    await waitUntil(() => writer.acknowledged.length >= 10, 'each goes on', 60_000)
    await writer.end()
  }
  const events = await allEvents(reader.db)
  await waitUntil(() => reader.told.length >= events.length, 'the reader is told of all')
  t.same(places(reader.told), events)
  const grants = reader.told.map(({ record }) => String(record.fields.grant))
  t.same(
    all.flatMap(({ acknowledged }) => acknowledged).filter((id) => !grants.includes(id)),
    [],
    'what was acknowledged is in the log',
  )
  t.same(
    all.flatMap(({ other }) => other.filter(({ damage }) => damage !== undefined)),
    [],
    'and nobody took a kill for damage',
  )
  t.equal(new Set(grants).size, grants.length, 'nothing twice')
  await reader.audit.checkpoint()
  t.match(await reader.audit.verify(), { problems: [] })
})

t.test('a writer that stops while it holds the head of the log holds up the others for a moment only', async (t) => {
  const { daemons, place, keysDir } = await openDaemons(t, 1)
  const reader = daemons[0] as (typeof daemons)[0]
  await reader.audit.start()
  const writer = startWriter({ place, keysDir, dir: newDir(t), name: 'stops', stopAt: 5 })
  t.teardown(() => writer.kill())
  await waitUntil(() => reader.told.length === 5, 'it has appended', 60_000)
  const holders = sql<{ n: number }>`select count(*)::int as n from pg_stat_activity
    where state = 'idle in transaction' and datname = current_database()`
  const isHeld = async () => (await holders.execute(reader.db)).rows[0]?.n === 1
  await waitUntil(isHeld, 'it has stopped in a transaction', 30_000)
  const appended = () =>
    reader.audit.append(created('grt_after')).then(
      () => true,
      () => false, // it waits for the head no longer than for any lock
    )
  await waitUntil(appended, 'the others go on', 10_000)
  await writer.kill()
  t.same(reader.damages, [])
})
