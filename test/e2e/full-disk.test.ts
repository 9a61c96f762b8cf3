/** The disk of the store is full: nothing opens without a record of it, and what takes access away still works. */
import { mkdtempSync, rmdirSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t from 'tap'
import { fillDisk, mountSmallDisk, withoutDisk } from '../sandbox/small-disk.ts'
import { waitUntil } from '../wait-until.ts'
import { type Company, startCompany } from './company.ts'
import { openDatabase } from './database-client.ts'

const disk = mkdtempSync(path.join(os.tmpdir(), 'sallyport-small-disk-'))
const unmount = mountSmallDisk(disk, 8)

const skip = unmount ? false : withoutDisk
await t.test('the store on a full disk', { skip }, async (t) => {
  const company = await startCompany({ overrides: { store: { url: `sqlite:${disk}/sallyport.db` } } })
  t.teardown(() => company.close())
  const grant = await company.grant()
  const running = await openDatabase(company)
  t.equal((await running.client.query('select 1')).rowCount, 1)

  const ballast = path.join(disk, 'ballast')
  fillDisk(ballast)
  const refused = await openUntilRefused(company)
  t.match(
    refused,
    /AUDIT_UNAVAILABLE|audit log|STORE_UNAVAILABLE/,
    'a session that cannot be written down does not open',
  )
  await t.rejects(openDatabase(company), 'nor does the next')
  t.equal((await running.client.query('select 1')).rowCount, 1, 'what was open runs on')

  const decidedAt = Date.now()
  const response = await company.call('bob', 'POST', `/api/v1/grants/${grant.id}/revoke`, { reason: 'incident 42' })
  const { code, message } = await running.lost
  const tookMs = Date.now() - decidedAt
  t.equal(code, '57P01')
  t.match(message, /incident 42|revoked/)
  t.ok(tookMs < 5000, `revoke cut the session after ${tookMs} ms`)
  t.comment(`revoke answered ${response.status}`)

  rmSync(ballast)
  const revocations = `/api/v1/audit/events?subject=${grant.id}&type=grant.revoked`
  const isLogged = () =>
    company.api<{ events: unknown[] }>('carol', 'GET', revocations).then(
      ({ events }) => events.length > 0,
      () => false,
    )
  await waitUntil(isLogged, () => `the revocation reaches the log\n${company.daemon.log()}`, 40_000, 250)
  const report = await company.api<{ ok: boolean; problems: unknown[] }>('carol', 'GET', '/api/v1/audit/verify')
  t.same(report.problems, [])
  t.equal(report.ok, true)
  await t.rejects(openDatabase(company), /GRANT_DENIED/, 'and the grant stays revoked')
  await company.grant()
  const { client } = await openDatabase(company)
  t.equal((await client.query('select 1')).rowCount, 1, 'with room on the disk, sessions open again')
  await client.end()
})

t.teardown(() => {
  unmount?.()
  rmdirSync(disk)
})

/** The database may have room in pages that it holds already. @returns what the refused one was told */
async function openUntilRefused(company: Company): Promise<string> {
  for (let i = 0; i < 500; i++) {
    try {
      const { client } = await openDatabase(company)
      await client.end()
    } catch (error) {
      return (error as Error).message
    }
  }
  throw new Error('sessions open for ever on a full disk')
}
