/** What reaches a terminal: no control characters of another person's text, no stack when nobody reads on, times with their zone. */
import { once } from 'node:events'
import { existsSync, openSync } from 'node:fs'
import t from 'tap'
import { cutResponse, errorResponse } from '../../proxy/postgres/errors.ts'
import { printable } from '../../proxy/printable.ts'
import { BrokerError } from '../../proxy/session.ts'
import { escapeJson } from '../../src/cli/output.ts'
import { formatProblems } from '../../src/config/problems.ts'
import { ordersId } from '../src/access/access-setup.ts'
import { openTerminal } from '../src/cli/run-cli.ts'
import { startAccessApp } from '../src/http/access-app.ts'

// Commands run as processes of their own, which takes long on a busy machine.
t.setTimeout(240_000)

/** Sets the clipboard (OSC 52), clears the screen, starts a sequence with the C1 form of ESC [, turns the line around. */
const evil = '\u001b]52;c;cm0gLXJm\u0007 \u001b[2J \u009b31m \u202egnp.exe'
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const control = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/

async function openCompany(t: Tap) {
  const app = await startAccessApp(t)
  const url = await app.listen()
  const as = (person: string) => openTerminal(t, null, { SALLYPORT_SERVER: url, SALLYPORT_TOKEN: person })
  return { ...app, as }
}
type Tap = Parameters<typeof openTerminal>[0]

t.test('F12: a reason with OSC 52 in tables, one request, JSON, and errors', async (t) => {
  const { call, as } = await openCompany(t)
  const body = { resource: ordersId, level: 'admin', durationMs: 3_600_000, ticket: 'OPS-1', reason: evil }
  const made = await call('alice', 'POST', '/api/v1/requests', JSON.stringify(body))
  const { id } = made.body.request as { id: string }
  const bob = as('bob')
  for (const args of [
    ['requests'],
    ['requests', '--json'],
    ['deny', id, '--yes', '--comment', evil],
    ['cancel', `req_${evil}`],
    ['ls', '--kind', evil],
  ]) {
    const { stdout, stderr } = await bob.run(...args)
    t.notMatch(stdout + stderr, control, args.join(' '))
    t.not(stdout + stderr, '', args.join(' '))
  }
  const {
    items: [request],
  } = JSON.parse((await as('alice').run('requests', '--all', '--json')).stdout)
  t.equal(request.reason, evil, 'JSON says the same text')
})

t.test('F12: errors and notices of psql', (t) => {
  const error = new BrokerError('GRANT_DENIED', evil, { hint: evil })
  const cut = cutResponse({ reason: 'grant-revoked', decidedAt: 0, text: `access was revoked by bob: ${evil}` })
  for (const message of [errorResponse(error), cut]) {
    const fields = message.subarray(5).toString('utf8').split('\0')
    t.match(fields.join('|'), /\\u\{1b\}\]52/)
    for (const field of fields) t.notMatch(field, control)
  }
  t.end()
})

t.test('F12: problems of a configuration, and whatever else is made visible', (t) => {
  const problem = { path: evil, line: 1, column: 1, message: evil, fix: evil }
  t.notMatch(formatProblems('a.yaml', [problem]), control)
  t.equal(printable('plain Ünïcode 漢字 \u{1f600}'), 'plain Ünïcode 漢字 \u{1f600}')
  t.equal(printable('a\r\n\u2028\ud83d'), 'a\\u{d}\\u{a}\\u{2028}\\u{d83d}')
  const json = JSON.stringify({ text: `${evil}\u{e0001}` })
  t.notMatch(escapeJson(json), control)
  t.same(JSON.parse(escapeJson(json)), JSON.parse(json))
  t.end()
})

t.test('F13: a reader that is gone ends a command without a word', async (t) => {
  const { call, as } = await openCompany(t)
  for (let i = 0; i < 20; i++) {
    const body = { resource: ordersId, level: 'admin', durationMs: 3_600_000, ticket: 'OPS-1', reason: `${i}` }
    t.match(await call('alice', 'POST', '/api/v1/requests', JSON.stringify(body)), { status: 201 })
  }
  for (const args of [['requests'], ['requests', '--json'], ['ls'], ['--help']]) {
    const { child, ended } = as('alice').launch(args)
    child.stdout?.destroy()
    await once(child, 'exit')
    t.match(await ended, { code: 0, stderr: '' }, args.join(' '))
  }
})

t.test(
  'F13: output to a full disk is one line of error, and no stack',
  { skip: !existsSync('/dev/full') },
  async (t) => {
    const { as } = await openCompany(t)
    for (const args of [['ls'], ['ls', '--json'], ['config', 'schema'], ['--help']]) {
      const { ended } = as('alice').launch(args, { stdout: openSync('/dev/full', 'w') })
      const stderr = 'sallyport: standard output cannot be written: ENOSPC: no space left on device, write\n'
      t.match(await ended, { code: 1, stderr }, args.join(' '))
    }
  },
)

t.test('F13: times in tables and in sentences say UTC', async (t) => {
  const { as } = await openCompany(t)
  const alice = as('alice')
  const minute = /\b\d{4}-\d\d-\d\d \d\d:\d\d(?! UTC)/
  for (const args of [
    ['request', 'orders', '--level', 'readonly', '--for', '1h', '--reason', 'x'],
    ['grants'],
    ['requests', '--all'],
  ]) {
    const { stdout } = await alice.run(...args)
    t.notMatch(stdout, minute)
    if (args[0] !== 'requests') t.match(stdout, / UTC/, args.join(' '))
  }
})
