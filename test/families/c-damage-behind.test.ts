/** C1: damage behind what the start verifies, found while the daemon runs. */
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import type { Daemon } from '../../src/daemon.ts'
import { smallConfig, startHere } from '../src/config/small-daemon.ts'
import { waitUntil } from '../wait-until.ts'

/** A daemon that has run and stopped; then its first event was changed. */
async function damaged(t: Test): Promise<{ configFile: string; url: string }> {
  const { dir, url, configFile } = await smallConfig(t)
  const daemon = await startHere(configFile, () => {})
  await daemon.stop({ drainMs: 0 })
  const db = new DatabaseSync(path.join(dir, 'sallyport.db'))
  db.exec(`update audit_events set actor = 'prn_mallory' where seq = 1`)
  db.close()
  return { configFile, url }
}

t.test('C1: damage found in the background closes the daemon; a stop ends it', async (t) => {
  const { configFile, url } = await damaged(t)
  let log = ''
  const daemon = await startHere(configFile, (line) => {
    log += line
  })
  t.teardown(() => daemon.stop())
  await waitUntil(
    () => log.includes('closed: the store is not trusted'),
    () => log,
  )
  await waitUntil(async () => (await fetch(`${url}/readyz`)).status === 503)
  t.match(await (await fetch(`${url}/readyz`)).json(), { problems: [/event 1: its content was changed/] })
  await daemon.stop()
  await t.rejects(fetch(`${url}/readyz`))
})

t.test('C1: a stop while the damaged daemon starts anew, closed, ends that too', async (t) => {
  const { configFile, url } = await damaged(t)
  let daemon: Daemon | undefined
  let stops = 0
  const isStopped: unknown[] = []
  const end = () => {
    stops += 1
    daemon?.stop().then(
      () => isStopped.push(true),
      (error) => isStopped.push(error),
    )
  }
  daemon = await startHere(configFile, (line) => {
    if (line.includes('closed: the store is not trusted')) end() // written before that part of the start is over
  })
  t.teardown(() => daemon.stop())
  await waitUntil(() => isStopped.length > 0)
  t.same([stops, ...isStopped], [1, true])
  await t.rejects(fetch(`${url}/readyz`), 'no port is open')
})
