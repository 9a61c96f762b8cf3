/** `deploy/compose` as it is, without containers: what people start from it signs in, connects, revokes and outlives a daemon. */
import t from 'tap'
import { startCommand } from '../sandbox/commands.ts'
import { skipWithout } from '../sandbox/programs.ts'
import { waitFor, waitUntil } from '../wait-until.ts'
import { doorOf } from './company.ts'
import { type ComposeDaemon, composeDaemons, composeFile, foldersOfImage, startComposed } from './compose.ts'
import { issueToken } from './database-client.ts'

t.setTimeout(300_000)

t.test('volumes are mounted where the image has folders of its user', (t) => {
  for (const name of composeDaemons)
    for (const volume of composeFile.services[name].volumes.filter((one) => !one.startsWith('./')))
      t.ok(foldersOfImage.includes(volume.split(':')[1] ?? ''), volume)
  t.end()
})

t.test('the daemons share keys, and nothing else that they write', (t) => {
  const [a = [], b = []] = composeDaemons.map((name) => composeFile.services[name].volumes)
  t.same(
    a.filter((volume) => b.includes(volume)).filter((volume) => !volume.endsWith(':ro')),
    ['keys:/var/lib/sallyport/keys'],
  )
  t.end()
})

interface Session {
  readonly id: string
  readonly address: string
  readonly endReason: string | null
}
interface Event {
  readonly type: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly text: Readonly<Record<string, string>>
}

t.test('it runs', { skip: skipWithout('haproxy', '-v') || skipWithout('psql') }, async (t) => {
  const composed = await startComposed()
  t.teardown(() => composed.close())
  const { sandbox, url, postgresPort, daemons } = composed
  const door = doorOf(sandbox, { url, dir: sandbox.dir })

  const psql = async (input: string) => {
    const { user, token } = await issueToken(door)
    const env = { ...process.env, PGPASSWORD: token, PGSSLMODE: 'verify-full', PGSSLROOTCERT: sandbox.caFile }
    return startCommand(
      'psql',
      ['-h', 'localhost', '-p', String(postgresPort), '-U', user, '-At', 'orders'],
      env,
      input,
    )
  }
  const eventsOf = async (type: string) =>
    (await door.api<{ events: Event[] }>('carol', 'GET', `/api/v1/audit/events?type=${type}`)).events
  const openSessions = async () =>
    (await door.api<{ sessions: Session[] }>('carol', 'GET', '/api/v1/sessions')).sessions.filter(
      ({ endReason }) => endReason === null,
    )

  await t.test('a sign-in, a request, its approval and psql go through the balancer', async (t) => {
    await door.signIn()
    await door.grant()
    const ran = await (await psql('select 6 * 7;')).ended
    t.equal(ran.stdout, '42\n', ran.stderr)
  })

  await t.test('the log has the address of the client, not that of the balancer', async (t) => {
    const addresses = (await eventsOf('session.started')).map(({ text }) => text.address)
    t.same(addresses, ['127.0.0.1'])
    for (const { text } of await eventsOf('login.succeeded')) t.not(text.address, '127.0.0.2')
  })

  await t.test('both daemons live, and reach each other past the balancer', async (t) => {
    for (const name of composeDaemons) {
      const both = async () => (await composed.metricsOf(name)).includes('sallyport_daemons{state="live"} 2')
      await waitUntil(both, `${name} sees two`)
    }
    const held = await psql('select pg_sleep(2);') // the next connection goes to the one that has fewer
    await waitUntil(async () => (await openSessions()).length === 1, 'it is open')
    t.equal((await (await psql('select 1;')).ended).code, 0)
    t.equal((await held.ended).code, 0)
    await waitUntil(async () => (await eventsOf('session.ended')).length === 3, 'they have ended')
    const homes = new Set((await eventsOf('session.started')).map(({ fields }) => fields.daemon))
    t.equal(homes.size, 2, 'connections go to both')
    const report = await door.api<{ problems: unknown[]; notes: string[] }>('carol', 'GET', '/api/v1/audit/verify')
    t.same(report.problems, [])
    t.notMatch(report.notes.join(), /not checked/, 'it has the recordings of both')
  })

  await t.test('a revocation cuts psql', async (t) => {
    const { id } = await door.grant()
    const running = await psql('select pg_sleep(600);')
    await waitUntil(async () => (await openSessions()).length === 1, 'it is open')
    await door.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })
    const { stderr } = await running.ended
    t.match(stderr, /incident 42/)
  })

  await t.test('one daemon is stopped: new connections go to the other, and nobody sees an error', async (t) => {
    await door.grant()
    const before = (await eventsOf('session.started')).length
    const stops: ComposeDaemon = 'sallyport-a'
    const stays = daemons['sallyport-b']
    let code: number | undefined
    void daemons[stops].exited.then((it) => {
      code = it
    })
    daemons[stops].signal('SIGTERM')
    const isOver = async () => {
      const ran = await (await psql('select 1;')).ended
      if (ran.code !== 0) throw new Error(ran.stderr)
      return code !== undefined
    }
    await waitUntil(isOver, 'it has ended', 30_000, 200)
    t.equal(code, 0, composed.logs[stops]())
    const left = (await eventsOf('session.started')).length
    t.equal((await (await psql('select 1;')).ended).code, 0)
    const [last] = await waitFor(async () => {
      const events = await eventsOf('session.started')
      return events.length > left ? events : undefined
    }, 'it is in the log')
    const [stopped] = await eventsOf('daemon.stopped')
    t.ok(left > before)
    t.not(last?.fields.daemon, stopped?.fields.daemon)
    t.equal(await Promise.race([stays.exited, Promise.resolve('runs')]), 'runs')
  })
})
