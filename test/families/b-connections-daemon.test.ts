/** B4: the whole daemon with few open files, and every port of its full of those who say nothing. */
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import t from 'tap'
import { startCompany } from '../e2e/company.ts'
import { openDatabase } from '../e2e/database-client.ts'
import { skipWithout } from '../sandbox/programs.ts'

const skip = skipWithout('prlimit')
t.test('B4: 256 open files and 600 silent connections', { skip }, async (t) => {
  const company = await startCompany({ openFiles: 256 })
  t.teardown(() => company.close())
  await company.grant()
  const before = await openDatabase(company)
  const ports = [Number(new URL(company.daemon.url).port), company.daemon.postgresPort]
  const silent: Socket[] = []
  t.teardown(() => silent.forEach((socket) => void socket.destroy()))
  for (let i = 0; i < 600; i++) {
    const port = ports[i % 2] ?? 0
    const socket = createConnection({ host: '127.0.0.1', port, localAddress: `127.0.1.${1 + (i % 8)}` })
    silent.push(socket.on('error', () => {}))
    await once(socket, 'connect')
  }
  t.equal((await before.client.query('select 1')).rowCount, 1, 'who was there goes on')
  await company.signIn(['carol'])
  const { client } = await openDatabase(company)
  t.equal((await client.query('select 2')).rowCount, 1, 'a new session opens, with its recording and its target')
  const { sessions } = await company.api<{ sessions: unknown[] }>(
    'alice',
    'GET',
    '/api/v1/sessions?open=true&mine=true',
  )
  t.equal(sessions.length, 2)
  t.match(company.daemon.log(), /the limit of open files is too low/)
  t.notMatch(company.daemon.log(), /EMFILE/)
  await client.end()
  await before.client.end()
})
