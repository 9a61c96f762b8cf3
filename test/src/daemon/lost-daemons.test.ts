import t from 'tap'
import { BrokerError } from '../../../proxy/session.ts'
import type { AuditEvent, AuditLog } from '../../../src/audit/audit.ts'
import { closeLostDaemons } from '../../../src/daemon/lost-daemons.ts'
import type { Parts } from '../../../src/daemon/parts.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { runBeside } from '../audit/run-beside.ts'
import { startDaemons } from '../daemons/daemons-setup.ts'

/** A daemon that leads, and two that are silent, the second without any start in the log. */
async function startLeader(t: Parameters<typeof startDaemons>[0]) {
  const { join, silence, rowOf, db } = await startDaemons(t)
  const [a, b, c] = [await join(), await join(), await join()]
  const log: AuditEvent[] = []
  const state = { isDown: false }
  const append = async (event: AuditEvent, beside: Parameters<AuditLog['append']>[1]) => {
    if (state.isDown) throw new BrokerError('AUDIT_UNAVAILABLE')
    await runBeside(db, beside)
    log.push(event)
  }
  const audit = {
    search: async ({ subject }: { subject: string }) => ({ events: subject === b.daemons.id ? [{}] : [], next: null }),
    append,
  }
  const sessions = { closeSessionsOfLost: async () => [] }
  const logger = createLogger({ level: 'silent' })
  const parts = { audit, daemons: a.daemons, db, logger, sessions } as unknown as Parts
  await a.pass(21)
  for (const { daemons } of [b, c]) await silence(daemons.id, 60_000)
  await a.daemons.beat()
  return {
    look: () => closeLostDaemons(parts),
    isLost: async (id: string) => (await rowOf(id))?.lost_at !== null,
    log,
    state,
    b,
    c,
  }
}

t.test('a daemon is given up together with its event: while the log cannot be written it is not', async (t) => {
  const { look, isLost, log, state, b, c } = await startLeader(t)
  state.isDown = true
  await t.rejects(look(), { code: 'AUDIT_UNAVAILABLE' })
  t.notOk(await isLost(b.daemons.id))
  state.isDown = false
  await look()
  t.ok(await isLost(b.daemons.id))
  t.ok(await isLost(c.daemons.id), 'a row that nobody started goes without an event')
  t.match(log, [{ type: 'daemon.lost', fields: { daemon: b.daemons.id } }])
  await look()
  t.equal(log.length, 1, 'once')
})
