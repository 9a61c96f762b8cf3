/** What a target answers reaches the client so that pools act on it. */
import pg from 'pg'
import t from 'tap'
import { errorResponse } from '../../proxy/postgres/errors.ts'
import { refusedSignIn } from '../../proxy/postgres/target/target-errors.ts'
import { decodeErrorFields } from '../../proxy/wire/postgres/decode.ts'
import { startEngine } from '../proxy/postgres/engine-fixture.ts'
import { fatal, startTarget } from '../proxy/postgres/scripted-target.ts'

const shown = (state: string, text = 'because') =>
  decodeErrorFields(errorResponse(refusedSignIn(fatal(state, text).subarray(5))).subarray(5))

t.test('F8: states that a pool waits for, or that a client can mend, pass through', (t) => {
  for (const state of [
    '53300',
    '53200',
    '53400',
    '55000',
    '55P03',
    '22023',
    '57P01',
    '57P02',
    '57P03',
    '58000',
    '58030',
  ]) {
    const fields = shown(state, 'sorry, too many clients already')
    t.match(fields, { S: 'FATAL', C: state, D: 'Sallyport error TARGET_REFUSED.' }, state)
    t.match(fields.M, /too many clients already/)
  }
  t.end()
})

t.test('F8: any other keeps the state of our own code', (t) => {
  for (const state of ['28000', '28P01', '42501X', '5330', '53300\u001b', '57014', '', 'XX000', '08006'])
    t.match(shown(state), { C: '28000', D: 'Sallyport error TARGET_REFUSED.' }, state)
  t.match(shown('3D000'), { C: '3D000', D: 'Sallyport error DATABASE_DENIED.' })
  t.end()
})

t.test('F8: through the engine, to a client', async (t) => {
  const engine = await startEngine()
  t.teardown(() => engine.close())
  const target = await startTarget(t, {
    onPassword: (socket) => socket.end(fatal('53300', 'too many clients already')),
  })
  engine.control.route = { port: target.port, serverName: target.serverName, ca: target.ca }
  const client = new pg.Client({ host: '127.0.0.1', port: engine.port, user: 'anyone', database: 'orders' })
  client.on('error', () => {})
  await t.rejects(client.connect(), { code: '53300', message: /too many clients already/ })
})
