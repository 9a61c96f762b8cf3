/** H6: a restore that is confirmed at one of several daemons: not while another runs, and what is void is void at all of them. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { createAuditStore } from '../../src/audit/audit-store.ts'
import { confirmRestore } from '../../src/audit/mark/confirm.ts'
import { openJudgedStore, windowsOf } from '../../src/daemon/judged-store.ts'
import { configOf } from '../../src/daemon/stopped-daemon.ts'
import { systemClock } from '../../src/telemetry/clock.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { clientFor, issueToken, openDatabase, refusal } from '../e2e/database-client.ts'
import { startTwoDaemons } from '../e2e/two-daemons.ts'
import { waitUntil } from '../wait-until.ts'

t.setTimeout(200_000)
const two = await startTwoDaemons()
t.teardown(() => two.close())
const { balancer } = two
const { a } = two.at
const { configFile, env, stateDir } = two.daemons.b
const { dave } = a.commands
const restore = (...args: string[]) => dave.run(['restore', ...args, '--config', configFile], env)

await a.grant()
const token = await issueToken(a)
const session = await openDatabase(a)
await two.daemons.b.stop()
writeFileSync(path.join(stateDir, 'mark'), 'as a disk that failed has left it')

await t.test('H6: it is not confirmed while another daemon runs, which is named, and goes on', async (t) => {
  const look = await restore()
  t.match(look, { code: 1, stdout: /does not open: the mark in state.dir does not verify/ })
  const [, code = ''] = /--confirm ([0-9a-f]{12})/.exec(look.stdout) ?? []
  t.match(await restore('--confirm', code), { code: 5, stderr: /in use by dmn_[0-9a-z]{26} on .*Stop every daemon/s })
  t.equal((await session.client.query('select 1')).rowCount, 1)
  t.match(await restore(path.dirname(configFile)), { stderr: /a PostgreSQL store is put back by its own tools/ })
})

await t.test(
  'H6: a daemon that ran all the same begins anew: its sessions end, and nothing of before works',
  async (t) => {
    const config = await configOf({ configFile, env })
    await using closing = new AsyncDisposableStack()
    const { db, keyring, installation, judgement } = await openJudgedStore(
      config,
      createLogger({ level: 'silent' }),
      closing,
    )
    t.notOk(judgement.isOpen)
    const place = { stateDir, windows: windowsOf(config), clock: systemClock }
    await confirmRestore(
      { store: createAuditStore(db), keyring, installation, ...place },
      judgement.found,
      'a test',
      undefined,
    )
    t.match(await session.lost, { code: '57P01' })
    await waitUntil(() => two.daemons.a.log().split('"msg":"ready"').length === 3, 'a has begun anew', 30_000, 100)
    t.equal((await a.call('alice', 'GET', '/api/v1/whoami')).status, 401)
    t.match(await refusal(clientFor(a, token)), { code: '28P01' })
    balancer.to('a')
    await two.signIn(['alice', 'bob', 'carol'])
    const { grants } = await a.api<{ grants: { state: string }[] }>('alice', 'GET', '/api/v1/grants')
    t.notOk(grants.some(({ state }) => state === 'active'))
  },
)

await t.test('H6: the daemon that it was confirmed for starts beside it, and the log verifies', async (t) => {
  await two.start('b')
  const { problems } = await a.api<{ problems: unknown[] }>('carol', 'GET', '/api/v1/audit/verify')
  t.same(problems, [])
})
