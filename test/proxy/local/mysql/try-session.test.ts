import t, { type Test } from 'tap'
import { localMysql } from '../../../../proxy/local/mysql/local-mysql.ts'
import { waitUntil } from '../../../wait-until.ts'
import { type FakeBroker, startFakeBroker } from '../fake-broker.ts'

async function open(t: Test, database = 'shop'): Promise<{ broker: FakeBroker; ask: () => Promise<void> }> {
  const broker = await startFakeBroker(t)
  const how = { bearer: 'bearer-of-alice', resourceId: 'orders', level: undefined, tool: 'sallyport connect' }
  const ask = { ...how, openPort: false, server: broker.url }
  return { broker, ask: () => localMysql.trySession(ask, { user: 'sallyport', database }) }
}

t.test('who is let in leaves at once', async (t) => {
  const { broker, ask } = await open(t)
  await ask()
  t.match(broker.logins, [{ user: 'sallyport', database: 'shop', answerBytes: 0, attributes: /sallyport connect/ }])
  await waitUntil(() => broker.terminates === 1 && broker.sockets.size === 0, 'the session has ended')
})

t.test('without a database none is named', async (t) => {
  const { broker, ask } = await open(t, '')
  await ask()
  t.equal((broker.logins[0]?.capabilities ?? 0) & 0x8, 0)
})

t.test('a denial in the answer to the login is an error with its code and reason', async (t) => {
  const { broker, ask } = await open(t)
  broker.deny = { sqlstate: '28000', code: 'GRANT_DENIED', message: 'you hold no grant', hint: 'sallyport request' }
  await t.rejects(ask(), { code: 'GRANT_DENIED', message: 'you hold no grant. sallyport request' })
  await waitUntil(() => broker.sockets.size === 0, 'nothing is left behind')
})

t.test('so is a denial of the websocket', async (t) => {
  const { broker, ask } = await open(t)
  broker.refuse = { status: 403, body: '{"code":"PRINCIPAL_LOCKED","detail":"locked"}' }
  await t.rejects(ask(), { code: 'PRINCIPAL_LOCKED', message: 'locked' })
})

t.test('a broker that hangs up without an answer is unreachable', async (t) => {
  const { broker, ask } = await open(t)
  broker.hangsUp = true
  await t.rejects(ask(), { code: 'STORE_UNAVAILABLE', message: 'the broker closed the connection before it answered' })
})
