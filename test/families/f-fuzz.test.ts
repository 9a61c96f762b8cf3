/**
 * Any text that a person can write, through what stores it and what shows it: nothing breaks, nothing is lost, and no control
 * character reaches a terminal. `SALLYPORT_FUZZ_SEED` repeats a run, `SALLYPORT_FUZZ_SECONDS` lengthens it.
 */

import t from 'tap'
import { errorResponse } from '../../proxy/postgres/errors.ts'
import { applicationName } from '../../proxy/postgres/target/upstream-parameters.ts'
import { printable } from '../../proxy/printable.ts'
import { BrokerError } from '../../proxy/session.ts'
import { escapeJson } from '../../src/cli/output.ts'
import fc from '../fast-check.ts'
import { ordersId } from '../src/access/access-setup.ts'
import { openAudit, revoked } from '../src/audit/start-audit.ts'
import { startAccessApp } from '../src/http/access-app.ts'
import { harmful, seconds, seed, text } from './f-fuzz-setup.ts'

const runs = {
  seed,
  numRuns: seconds > 0 ? 1_000_000 : 150,
  ...(seconds > 0 ? { interruptAfterTimeLimit: seconds * 330 } : {}),
}
t.setTimeout(60_000 + seconds * 2000)
t.comment(`SALLYPORT_FUZZ_SEED=${seed}`)

/** Everything that a person may write in a command's output, in one. */
const terminal = (show: (text: string) => string) =>
  fc.property(text, (written) => !harmful.test(show(written).replaceAll('\n', '')))

const showing: Readonly<Record<string, (text: string) => string>> = {
  'a line or a cell': printable,
  JSON: (written) => escapeJson(JSON.stringify({ written: written.toWellFormed() }, null, 2)),
  'an error of psql': (written) =>
    errorResponse(new BrokerError('GRANT_DENIED', written, { hint: written }))
      .toString('utf8', 5)
      .replaceAll('\0', ''),
  'a name in pg_stat_activity': (written) => applicationName('ses_1', written),
}

for (const [what, show] of Object.entries(showing))
  t.test(`fuzz: no control character reaches a terminal: ${what}`, async () => fc.assert(terminal(show), runs))

t.test('fuzz: a planted fault, a field that is not escaped, is found', async (t) => {
  for (const forgotten of [/\p{Cc}/u, /\p{Cf}/u, /[\p{Zl}\p{Zp}]/u])
    t.ok(
      fc.check(
        terminal((written) => [...written].map((c) => (forgotten.test(c) ? c : printable(c))).join('')),
        { seed, numRuns: 1000 },
      ).failed,
      String(forgotten),
    )
})

t.test('fuzz: requests and decisions are stored and listed, or refused with the place', async (t) => {
  const { call } = await startAccessApp(t)
  /** JSON with every code unit by its number, as a client may send it. */
  const escaped = (written: string) =>
    `"${written.replaceAll(/[^ -~]|["\\]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`
  await fc.assert(
    fc.asyncProperty(text, text, async (reason, comment) => {
      const body = `{"resource":"${ordersId}","level":"admin","durationMs":3600000,"ticket":"OPS-1","reason":${escaped(reason)}}`
      const made = await call('alice', 'POST', '/api/v1/requests', body)
      if (made.status === 400) return made.body.code === 'INVALID_INPUT'
      if (reason.trim() === '') return made.status === 400 || made.body.code === 'GRANT_DENIED' // the rule needs a reason
      const { id, digest } = made.body.request as { id: string; digest: string }
      const verdict = `{"digest":"${digest}","comment":${escaped(comment)}}`
      const denied = await call('bob', 'POST', `/api/v1/requests/${id}/deny`, verdict)
      if (denied.status === 400) await call('alice', 'POST', `/api/v1/requests/${id}/cancel`, '{}')
      const { status, body: read } = await call('alice', 'GET', `/api/v1/requests/${id}`)
      const kept = (read.request as { reason: string }).reason
      return (
        made.status === 201 && status === 200 && kept.isWellFormed() && kept.trim() === reason.toWellFormed().trim()
      )
    }),
    { ...runs, ...(seconds > 0 ? {} : { numRuns: 60 }) },
  )
})

t.test('fuzz: the log with such texts verifies', async (t) => {
  const { audit } = await openAudit(t)
  await audit.start()
  for (const reason of fc.sample(text, { seed, numRuns: 300 }))
    await audit.append({ ...revoked('grt_1'), text: { reason: reason.toWellFormed() } })
  t.same((await audit.verify()).problems, [])
})
