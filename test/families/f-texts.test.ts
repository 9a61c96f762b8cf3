/** Texts of other people: whatever can be sent is stored as it is checked, or refused; lines end at LF alone. */
import { writeFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { fileLines } from '../../src/audit/read-lines.ts'
import { verifyOffline } from '../../src/audit/verify/offline-verify.ts'
import { streamLines } from '../../src/cli/api/api-stream.ts'
import { toWellFormed } from '../../src/http/plugins/well-formed-text.ts'
import { splitLines } from '../../src/telemetry/lines.ts'
import { ordersId } from '../src/access/access-setup.ts'
import { newDir, openAudit, revoked } from '../src/audit/start-audit.ts'
import { startAccessApp } from '../src/http/access-app.ts'

/** As JSON that names the code units, so that it leaves this file as a client would send it. */
const asking = (reason: string, level = 'readonly') =>
  `{"resource":"${ordersId}","level":"${level}","durationMs":3600000,"ticket":"OPS-1","reason":"${reason}"}`

t.test('F1: a lone surrogate is made well-formed before any digest; the request stays readable', async (t) => {
  const { setup, call } = await startAccessApp(t)
  const made = await call('alice', 'POST', '/api/v1/requests', asking('x \\ud83d y'))
  t.match(made, { status: 201, body: { request: { reason: 'x \ufffd y' } } })
  const { id } = made.body.request as { id: string }
  t.match(await call('alice', 'GET', `/api/v1/requests/${id}`), {
    status: 200,
    body: { request: { id, reason: 'x \ufffd y' } },
  })
  t.match(setup.audit.of('request.created'), [{ text: { reason: 'x \ufffd y' } }])
})

t.test('F1: so is the comment of an approver, and a whole pair stays', async (t) => {
  const { call } = await startAccessApp(t)
  const made = await call('alice', 'POST', '/api/v1/requests', asking('good \\ud83d\\ude00', 'admin'))
  t.match(made.body.request.reason, 'good \u{1f600}')
  const { id, digest } = made.body.request as { id: string; digest: string }
  const body = `{"digest":"${digest}","comment":"no\\udc00"}`
  t.match(await call('bob', 'POST', `/api/v1/requests/${id}/deny`, body), { status: 200 })
  t.match((await call('alice', 'GET', `/api/v1/requests/${id}`)).body.request.decisions, [{ comment: 'no\ufffd' }])
})

t.test('F1: names of members, and bodies as deep as they come', (t) => {
  t.throws(() => toWellFormed('body', { '\ud83d': 1 }), { code: 'INVALID_INPUT', detail: /^body has a name/ })
  let deep: unknown = 'a\ud83d'
  for (let i = 0; i < 100_000; i++) deep = [deep]
  let inner = toWellFormed('body', deep)
  while (Array.isArray(inner)) inner = inner[0]
  t.equal(inner, 'a\ufffd')
  t.end()
})

t.test('F1: what an event is cut to ends with a whole character', async (t) => {
  const { audit } = await openAudit(t)
  await audit.start()
  await audit.append({ ...revoked('grt_1'), text: { reason: `${'x'.repeat(32 * 1024 - 1)}\u{1f600}` } })
  t.same((await audit.verify()).problems, [])
})

t.test('F3: NUL is INVALID_INPUT with the place: in a body, a query, a path', async (t) => {
  const { setup, call } = await startAccessApp(t)
  const refused = (place: string) => ({ status: 400, body: { code: 'INVALID_INPUT', detail: new RegExp(place) } })
  t.match(
    await call('alice', 'POST', '/api/v1/requests', asking('a\\u0000b')),
    refused('body/reason must not contain NUL'),
  )
  t.match(
    await call('alice', 'GET', '/api/v1/policy/why?resource=a%00'),
    refused('querystring/resource must not contain NUL'),
  )
  t.match(await call('alice', 'GET', '/api/v1/requests/req_%00'), refused('params/id must not contain NUL'))
  t.same(setup.audit.of('request.created'), [])
})

/** Everything that `readline` takes for the end of a line. */
const separators = 'a\u2028b\u2029c\u0085d\u000be\rf\u000cg'

async function collect(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = []
  for await (const line of lines) all.push(line)
  return all
}

t.test('F2: an export with U+2028 in a reason verifies', async (t) => {
  const log = await openAudit(t)
  await log.audit.start()
  await log.audit.append({ ...revoked('grt_1'), text: { reason: separators } })
  const text = `${(await collect(log.audit.exportLines())).join('\n')}\n`
  t.ok(text.includes('\u2028'), 'it is exported as it is')
  await log.close()
  const exportFile = join(newDir(t), 'export.jsonl')
  writeFileSync(exportFile, text)
  const report = await verifyOffline({ exportFile, publicKeyPem: log.keyring.publicKeyPem, anchorFiles: [] })
  t.same(report.problems, [])
  t.match(report, { ok: true, events: 1 })
})

t.test('F2: the lines that commands read from the API', async (t) => {
  const lines = [JSON.stringify({ reason: separators }), JSON.stringify({ reason: 'next' })]
  const server = createServer((_request, response) => response.end(`${lines.join('\n')}\n\n`))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const api = { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: null }
  t.same(await collect(streamLines(api, 'GET /api/v1/audit/export')), lines)
})

t.test('F2: wherever a chunk ends, also within a character; the last line may lack its end', async (t) => {
  const text = `${separators}\n\n\u{1f600}\nlast`
  const bytes = Buffer.from(text)
  for (let at = 0; at <= bytes.length; at++) {
    const chunks = async function* () {
      yield bytes.subarray(0, at)
      yield bytes.subarray(at)
    }
    t.same(await collect(splitLines(chunks())), [separators, '', '\u{1f600}', 'last'])
  }
})

t.test('F2: a line without end is refused, not collected', async (t) => {
  const chunks = async function* () {
    for (;;) yield Buffer.alloc(1024 * 1024, 120)
  }
  await t.rejects(collect(splitLines(chunks())), { message: /longer than/ })
})

t.test('F2: a missing file is an error for its reader, however late reading begins', async (t) => {
  const lines = fileLines(join(newDir(t), 'anchor.jsonl'))
  await setImmediate()
  await stat('/') // a round through the thread pool, where an early open would have failed
  await setImmediate()
  await t.rejects(collect(lines), { code: 'ENOENT' })
})
