/** An exec is watched by an approver and an auditor while it runs, and found afterwards. */
import t from 'tap'
import { clusterId } from '../sandbox/daemon-files.ts'
import type { AccountName } from '../sandbox/oidc/accounts.ts'
import { skipWithoutKubectl } from '../sandbox/programs.ts'
import { noPty, spawnPty } from '../sandbox/pty.ts'
import { waitFor, waitUntil } from '../wait-until.ts'
import { newestSession } from './books.ts'
import { kubectlOf } from './cluster-kubectl.ts'
import { startCompany } from './company.ts'
import { openWatch } from './shell-client.ts'

t.setTimeout(180_000)

const bySpdy = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false' }

t.test('an exec that is watched', { skip: noPty || skipWithoutKubectl() }, async (t) => {
  const company = await startCompany({ sandbox: { cluster: true } })
  t.teardown(() => company.close())
  const { id: grantId } = await company.grant(3_600_000, clusterId, 'operate')
  const kubectl = await kubectlOf(t, company, 'operate', '--token')
  const watch = (who: AccountName, session: string) =>
    openWatch({ door: company, who, session, url: company.daemon.url })

  for (const [way, env] of Object.entries({ webSocket: {}, spdy: bySpdy }))
    await t.test(`by ${way}: announced, read-only, in the log, and found`, async (t) => {
      const shell = spawnPty(['kubectl', 'exec', '-it', 'web-1', '--', 'sh'], { env: { ...kubectl.env, ...env } })
      let screen = ''
      shell.stdout.on('data', (chunk: Buffer) => {
        screen += chunk
      })
      const shows = (text: string) =>
        waitUntil(
          () => screen.includes(text),
          () => `${text} in ${screen}`,
          20_000,
        )
      await shows('[this session is recorded]')
      shell.stdin.write(`echo before-${way}-$((1+1))\n`)
      await shows(`before-${way}-2`)
      const session = await newestSession(company)
      for (const who of ['alice', 'dave'] as const) {
        const refused = await watch(who, session)
        await refused.closes()
        t.match(refused.seen, { bytes: 0, messages: [{ error: { code: 'ROLE_REQUIRED' } }] }, who)
      }
      t.notMatch(screen, /watches/)

      const [bob, carol] = [await watch('bob', session), await watch('carol', session)]
      await shows('[bob@example.com watches this session]')
      await shows('[carol@example.com watches this session]')
      await bob.shows(`before-${way}-2`)
      shell.stdin.write(`echo after-${way}-$((1+1))\n`)
      for (const one of [bob, carol]) await one.shows(`after-${way}-2`)
      shell.resize(97, 31)
      await carol.hears('{"resize":{"cols":97,"rows":31}}')
      bob.type('touch typed-by-bob\n')
      await bob.closes()
      t.match(bob.seen.messages.at(-1), { error: { code: 'PROTOCOL_ERROR' } })
      await shows('[bob@example.com no longer watches this session]')
      shell.stdin.write('ls; exit 5\n')
      t.equal(await new Promise((resolve) => shell.child.once('close', resolve)), 5)
      t.notMatch(screen, /typed-by-bob/)
      await carol.hears('{"exit":5}')
      await carol.closes()

      const types = await waitFor(async () => {
        const path = `/api/v1/audit/events?type=recording.watched&type=recording.watch-ended&subject=${session}`
        const { events } = await company.api<{ events: { type: string }[] }>('carol', 'GET', path)
        return events.length === 4 ? events.map(({ type }) => type).sort() : undefined
      }, 'all is in the log')
      t.same(types, [...Array(2).fill('recording.watch-ended'), ...Array(2).fill('recording.watched')])
      const found = await company.commands.carol.run(['recordings', 'search', `after-${way}-2`, '--json'])
      t.match(found.stdout, session)
      const cast = await company.commands.carol.run(['recordings', 'export', session, '--cast'])
      t.match(cast.stdout, new RegExp(`^\\{"version":2[^\\n]*\\n[\\s\\S]*"o","[^\\n]*after-${way}-2`))
      t.match(cast.stdout, /"m","bob@example\.com watches this session"/)
    })

  await t.test('an exec without a terminal is watched as well, and a revocation ends both', async (t) => {
    const running = kubectl.start(['exec', '-i', 'web-1', '--', 'cat'], {}, null)
    running.child.stdin?.write('one\n')
    await running.prints(/one/)
    const carol = await watch('carol', await newestSession(company))
    await carol.shows('one')
    await company.api('bob', 'POST', `/api/v1/grants/${grantId}/revoke`, { reason: 'incident 42' })
    const { code, stdout, stderr } = await running.ended
    t.match({ code, stdout }, { code: 1, stdout: 'one\n' })
    t.match(stderr, /\[carol@example\.com watches this session\][\s\S]*incident 42/)
    await carol.hears('incident 42')
    await carol.closes()
  })
})
