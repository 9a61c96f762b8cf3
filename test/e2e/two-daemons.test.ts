/** Two daemons on one store: what is decided at one holds at the other at once. */
import t from 'tap'
import { startTwoDaemons } from './two-daemons.ts'

const two = await startTwoDaemons()
t.teardown(() => two.close())
const { a, b, balancer } = two.at

await t.test('a sign-in through the balancer is good at each daemon', async (t) => {
  for (const door of [a, b, balancer]) {
    t.equal((await door.call('alice', 'GET', '/api/v1/whoami')).status, 200)
    const ran = await door.commands.bob.run(['whoami'])
    t.equal(ran.code, 0, ran.stderr)
    t.match(ran.stdout, /bob/)
  }
})
