/** The commands as programs of their own, against the real routes and rules. */
import t, { type Test } from 'tap'
import { waitFor } from '../../wait-until.ts'
import { type AccessSetup, hour, ordersId } from '../access/access-setup.ts'
import { startAccessApp } from '../http/access-app.ts'
import { openTerminal, type Ran } from './run-cli.ts'

// Commands run as processes of their own, which takes long on a busy machine.
t.setTimeout(480_000)

interface Company extends AccessSetup {
  /** Runs a command as this person. */
  as(person: string, ...args: string[]): Promise<Ran>
}

async function openCompany(t: Test): Promise<Company> {
  const { setup, listen } = await startAccessApp(t)
  const url = await listen()
  const as = (person: string, ...args: string[]) =>
    openTerminal(t, null, { SALLYPORT_SERVER: url, SALLYPORT_TOKEN: person }).run(...args)
  return { ...setup, as }
}

const read = ['request', 'orders', '--level', 'readonly', '--for', '1h', '--reason', 'look at a bug']
const write = ['request', 'orders', '--level', 'admin', '--for', '1h30m', '--reason', 'fix it', '--ticket', 'OPS-1']

/** Asks for what needs approval. @returns id of the request */
async function ask(company: Company): Promise<string> {
  const ran = await company.as('alice', ...write)
  return /req_\w+/.exec(ran.stdout)?.[0] ?? ran.stderr
}

t.test('ls shows what one may ask for and what one holds', async (t) => {
  const { as } = await openCompany(t)
  const before = await as('alice', 'ls')
  t.match(before, { code: 0, stderr: '' })
  t.match(before.stdout, /^NAME +RESOURCE +LEVELS +YOU HOLD +TAGS\n/)
  t.match(before.stdout, new RegExp(`^orders +${ordersId} +readonly, admin +- +env=prod$`, 'm'))
  t.match(await as('alice', ...read), { code: 0, stdout: /^granted: readonly on \S+\/orders until .* \(grt_\w+\)\n$/ })
  t.match((await as('alice', 'ls')).stdout, /readonly for (1h|59m)/)
  const json = JSON.parse((await as('alice', 'ls', '--kind', 'rds-postgres', '--json')).stdout)
  t.match(json, { items: [{ id: ordersId, levels: ['readonly', 'admin'], grants: [{ level: 'readonly' }] }], total: 1 })
  t.match(await as('alice', 'ls', '--kind', 'iam-role'), {
    code: 0,
    stdout: 'no resources: no rule gives you access to any\n',
  })
  t.match((await as('eve', 'ls')).stdout, /no resources/)
})

t.test('a request is approved stage by stage, by people who see it first', async (t) => {
  const company = await openCompany(t)
  const { as } = company
  const asked = await as('alice', ...write)
  const id = /req_\w+/.exec(asked.stdout)?.[0] ?? ''
  t.equal(
    asked.stdout,
    `${id} is waiting for approval, stage 1 of 2: group:owners\n  an approver can run: sallyport approve ${id}\n`,
  )
  const listed = await as('bob', 'requests')
  t.match(listed.stdout, new RegExp(`^${id} +${ordersId} +admin +1h30m +alice@example.com +OPS-1 fix it +pending`, 'm'))
  t.match(listed.stdout, /1 of 2: group:owners +can decide/)
  t.match(JSON.parse((await as('alice', 'requests', '--json')).stdout), {
    items: [{ id, canDecide: false, status: 'pending' }],
    next: null,
    total: 1,
  })

  const unsaid = await as('bob', 'approve', id)
  t.match(unsaid, { code: 1, stderr: /without a terminal; use --yes/ })
  const first = await as('bob', 'approve', id, '--yes', '--comment', 'fine')
  t.match(first, { code: 0 })
  t.match(first.stdout, /^who +alice@example.com$/m, 'what is approved is shown')
  t.match(first.stdout, /^note +In shop everyone is rw\.\nnote +A statement may outlast the access\.$/m)
  t.match(first.stdout, /is waiting for approval, stage 2 of 2: manager/)
  const last = await as('meg', 'approve', id, '--yes')
  t.match(last.stdout, /^decision +approve by bob@example.com at stage 1: fine$/m)
  t.match(last.stdout, /^granted: admin on /m)
  t.match((await as('alice', 'requests')).stdout, 'no requests')
  t.match((await as('alice', 'requests', '--all')).stdout, /granted/)
})

t.test('what one may not decide, or no longer, exits 4 and says why', async (t) => {
  const company = await openCompany(t)
  const id = await ask(company)
  const own = await company.as('alice', 'approve', id, '--yes')
  t.match(own, { code: 4, stderr: /it is your own request/ })
  t.ok(company.audit.of('decision.refused').length > 0, 'the broker heard of it')
  t.match(await company.as('eve', 'approve', id, '--yes'), { code: 1, stderr: /sallyport: not found/ })
  const denied = await company.as('bob', 'deny', id, '--yes', '--comment', 'not on a Friday')
  t.match(denied, { code: 0, stdout: new RegExp(`${id} was denied\n$`) })
  t.match(await company.as('bob', 'approve', id, '--yes'), { code: 1, stderr: /it has changed since you last saw it/ })
})

t.test('request --wait ends with the decision: 0 when granted, 4 when denied', async (t) => {
  const company = await openCompany(t)
  for (const [verdict, code] of [
    ['approve', 0],
    ['deny', 4],
  ] as const) {
    const waiting = company.as('alice', ...write, '--wait')
    const id = await pendingRequest(company)
    await company.as('bob', verdict, id, '--yes')
    if (verdict === 'approve') await company.as('meg', verdict, id, '--yes')
    t.match(await waiting, { code, stdout: code === 0 ? /is granted/ : /is denied/ }, verdict)
  }
})

async function pendingRequest(company: Company): Promise<string> {
  const newest = async () => (await company.access.requests(company.login('bob'), { all: false })).items[0]
  return (await waitFor(newest, 'alice has asked')).id
}

t.test('a request that no rule allows exits 4 with the reason', async (t) => {
  const { as, audit } = await openCompany(t)
  t.match(await as('alice', 'request', 'ledger', '--level', 'readonly'), { code: 1, stderr: /no such resource/ })
  const bare = await as('alice', 'request', 'orders', '--level', 'readonly')
  t.match(bare, { stderr: /reason/ })
  t.not(bare.code, 0)
  t.equal(audit.of('grant.created').length, 0)
  t.match(await as('alice', 'request'), { code: 2, stderr: /name a resource or use --same-as/ })
  t.match(await as('alice', 'request', 'orders', '--for', 'a while'), { code: 2, stderr: /expected a duration/ })
  t.match(await as('mallory', 'ls'), { code: 3 })
})

t.test('a request like an earlier one, and one that is taken back', async (t) => {
  const company = await openCompany(t)
  const id = await ask(company)
  t.match(await company.as('alice', 'cancel', id), { code: 0, stdout: `${id} was cancelled\n` })
  const again = await company.as('alice', 'request', '--same-as', id, '--json')
  t.match(JSON.parse(again.stdout), {
    request: { level: 'admin', ticket: 'OPS-1', durationMs: 1.5 * hour },
    grant: null,
  })
})

t.test('grants are listed, extended, given back and revoked', async (t) => {
  const { as, audit } = await openCompany(t)
  const grant = async () => /grt_\w+/.exec((await as('alice', ...read)).stdout)?.[0] ?? ''
  const id = await grant()
  const listed = await as('alice', 'grants')
  t.match(
    listed.stdout,
    new RegExp(`^${id} +alice@example.com +${ordersId} +readonly +active +\\S+ \\S+ UTC +engineers-read`, 'm'),
  )
  const [before] = JSON.parse((await as('alice', 'grants', '--json')).stdout).items
  const extended = await as('alice', 'extend', id, '--for', '1h', '--reason', 'not done', '--json')
  t.equal(JSON.parse(extended.stdout).grant.endsAt, before.endsAt + hour)
  t.match(await as('alice', 'extend', id), { code: 2, stderr: /--for/ })
  t.match(await as('alice', 'return', id), { code: 0, stdout: `${id} was returned\n` })
  t.match((await as('alice', 'grants')).stdout, 'no grants')
  t.match((await as('alice', 'grants', '--all')).stdout, /returned/)

  const second = await grant()
  t.match(await as('eve', 'revoke', second), { code: 1, stderr: /not found/ })
  t.match(await as('dave', 'revoke', second, '--reason', 'incident 42'), { code: 0, stdout: `${second} is revoked\n` })
  t.match(audit.of('grant.revoked').at(-1), { actor: 'dave' })
})

t.test('policy why prints each condition of each rule', async (t) => {
  const { as } = await openCompany(t)
  const why = await as('alice', 'policy', 'why', 'me', 'orders', '--level', 'readonly')
  t.match(why, { code: 0, stderr: '' })
  t.match(why.stdout, `alice@example.com (groups: engineering) on ${ordersId}`)
  t.match(why.stdout, 'readonly: may request — rule engineers-read allows it')
  t.match(why.stdout, '✓ rule engineers-read')
  t.match(why.stdout, '✗ rule finance-reads')
  t.match(await as('alice', 'policy', 'why', 'bob', 'orders'), { code: 4, stderr: /your role does not allow this/ })
  t.match(JSON.parse((await as('carol', 'policy', 'why', 'alice@example.com', 'orders', '--json')).stdout), {
    principal: { name: 'alice@example.com' },
    levels: [{ level: 'readonly', allowed: true }, { level: 'admin' }],
  })
})
