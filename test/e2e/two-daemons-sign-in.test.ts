/** Two daemons on one store: sign-ins that go from one to the other, codes that are good once, and what is read of either. */
import t from 'tap'
import { signInForCommand } from '../sandbox/command-code.ts'
import { startCommand } from '../sandbox/commands.ts'
import { createPerson } from '../sandbox/person.ts'
import { skipWithout } from '../sandbox/programs.ts'
import { waitUntil } from '../wait-until.ts'
import { issueToken, openDatabase } from './database-client.ts'
import { type DaemonName, startTwoDaemons } from './two-daemons.ts'

t.setTimeout(300_000)
const two = await startTwoDaemons({ people: ['alice', 'bob', 'carol'] })
t.teardown(() => two.close())
const { a, b } = two.at
const urls = { a: two.daemons.a.url, b: two.daemons.b.url }
const both: readonly [DaemonName, DaemonName][] = [
  ['a', 'b'],
  ['b', 'a'],
]

async function post(url: string, body: object): Promise<{ status: number; answer: Record<string, unknown> }> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  return { status: response.status, answer: (await response.json()) as Record<string, unknown> }
}

const whoami = async (name: DaemonName, token: unknown) =>
  (await fetch(`${urls[name]}/api/v1/whoami`, { headers: { authorization: `Bearer ${token}` } })).status

await t.test('a device code of one is approved at the other, and asked for at both: one gets the login', async (t) => {
  for (const [first, second] of both) {
    two.balancer.to(second)
    const { answer } = await post(`${urls[first]}/api/v1/device`, {})
    const page = await createPerson('alice').signIn(`${urls[second]}/device`, { user_code: String(answer.user_code) })
    t.match(page.body, /[Ss]igned in/)
    const ask = (name: DaemonName) => post(`${urls[name]}/api/v1/device/token`, { device_code: answer.device_code })
    const answers = await Promise.all([ask('a'), ask('b')])
    t.equal(answers.filter(({ status }) => status === 200).length, 1, answers.map(({ status }) => status).join(' '))
    for (const name of ['a', 'b'] as const) t.equal((await ask(name)).status, 401, 'it is spent')
    const { token } = answers.find(({ status }) => status === 200)?.answer ?? {}
    for (const name of ['a', 'b'] as const) t.equal(await whoami(name, token), 200, name)
  }
})

await t.test('`login --device` begins at one, and asks the other', async (t) => {
  two.balancer.to('a')
  const login = two.at.balancer.commands.dave.start(['login', '--device'])
  const [, code = ''] = await login.prints(/([B-DF-HJ-NP-TV-Z]{4}-[B-DF-HJ-NP-TV-Z]{4})\n/)
  two.balancer.to('b')
  two.balancer.drop()
  await createPerson('dave').signIn(`${urls.b}/device`, { user_code: code })
  const { code: exit, stderr } = await login.ended
  t.equal(exit, 0, stderr)
})

await t.test('`login` at one, whose browser comes back to the other', async (t) => {
  for (const [first, second] of both) {
    two.balancer.to(second)
    const ran = await two.at[first].commands.bob.run(['login'])
    t.equal(ran.code, 0, ran.stderr)
  }
})

await t.test('a code of the command is redeemed at both at once: one wins', async (t) => {
  for (const [first, second] of both) {
    two.balancer.to(second)
    const { codes, verifier } = await signInForCommand(urls[first], t.teardown)
    const redeem = (name: DaemonName) => post(`${urls[name]}/api/v1/cli/token`, { code: codes[0], verifier })
    const answers = await Promise.all([redeem(first), redeem(second)])
    t.same(answers.map(({ status }) => status).sort(), [200, 401])
  }
  two.balancer.to('a', 'b')
})

await t.test('what alice may reach, and who is connected, are the same at either', async (t) => {
  await a.grant()
  await openDatabase(b) // is open still when the daemons stop
  for (const [who, args] of [
    ['alice', ['ls']],
    ['carol', ['sessions']],
  ] as const) {
    const [here, there] = await Promise.all([a, b].map((door) => door.commands[who].json<unknown>([...args])))
    t.same(here, there, args.join(' '))
    t.match(JSON.stringify(here), /orders/)
  }
})

await t.test('who follows the log at one sees what happens at the other, each event once and in order', async (t) => {
  const tails = [a, b].map((door) => door.commands.carol.start(['audit', 'tail', '--json', '--since', '1h']))
  t.teardown(() => {
    for (const tail of tails) tail.child.kill('SIGINT')
  })
  const eventsOf = (text: string) =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as { seq: number; type: string; fields: { grant?: string } })
  const grants: string[] = []
  for (const door of [b, a, b]) {
    const { id } = await door.grant()
    await door.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'done' })
    grants.push(id)
  }
  for (const tail of tails) {
    const seen = () =>
      eventsOf(tail.stdout).flatMap(({ type, fields }) => (type === 'grant.revoked' ? [fields.grant] : []))
    await waitUntil(
      () => seen().length >= grants.length,
      () => tail.output,
      15_000,
    )
    t.same(seen(), grants)
    const numbers = eventsOf(tail.stdout).map(({ seq }) => seq)
    t.same(
      numbers,
      numbers.map((_, i) => (numbers[0] ?? 0) + i),
      'no hole, nothing twice',
    )
  }
})

await t.test(
  'Ctrl-C in psql reaches the daemon that carries it, by way of the other',
  { skip: skipWithout('psql') },
  async (t) => {
    await a.grant()
    const { token, user } = await issueToken(a)
    const env = { ...process.env, PGPASSWORD: token, PGSSLMODE: 'require' }
    const where = ['-h', '127.0.0.1', '-p', String(two.postgresPort), '-U', user, '-At', 'orders']
    const isSleeping = "select 1 from pg_stat_activity where query = 'select pg_sleep(60);' and state = 'active'"
    const sleeping = async () => (await two.sandbox.postgres.query('orders', isSleeping)).rowCount
    for (const [first, second] of both) {
      two.balancer.to(first)
      const psql = startCommand('psql', where, env, "select 'begun';\nselect pg_sleep(60);\nselect 'and on';\n")
      await psql.prints(/begun/)
      // Between two statements it would end by itself.
      await waitUntil(async () => (await sleeping()) === 1, 'the target runs it')
      two.balancer.to(second)
      let isOver = false
      void psql.ended.then(() => {
        isOver = true
      })
      await waitUntil(
        () => {
          if (!/cancel/.test(psql.output)) psql.child.kill('SIGINT')
          return isOver
        },
        () => psql.output,
        20_000,
        300,
      )
      const { stderr } = await psql.ended
      t.match(stderr, /canceling statement due to user request/)
    }
    two.balancer.to('a', 'b')
  },
)

await t.test('where codes could be guessed, a limit counts what comes to both', async (t) => {
  const statuses: number[] = []
  for (let i = 0; i < 34; i++) statuses.push((await post(`${urls[i % 2 === 0 ? 'a' : 'b']}/api/v1/device`, {})).status)
  const let_in = statuses.filter((status) => status === 200).length
  t.ok(let_in <= 30 && let_in >= 20, `${let_in} of 34`)
  t.same(
    statuses.slice(let_in),
    Array.from({ length: 34 - let_in }, () => 429),
  )
})
