import { type AddressInfo, createServer } from 'node:net'
import t from 'tap'
import { listen } from '../../../proxy/ports/listen.ts'

t.test('a server listens, and hears of what fails later', async (t) => {
  const failures: string[] = []
  const server = createServer()
  t.teardown(() => server.close())
  await listen(server, { host: '127.0.0.1', port: 0 }, (error) => failures.push(error.message))
  t.ok((server.address() as AddressInfo).port > 0)
  server.emit('error', new Error('accept EMFILE'))
  server.emit('error', new Error('accept EMFILE again'))
  t.same(failures, ['accept EMFILE', 'accept EMFILE again'])

  const { port } = server.address() as AddressInfo
  const second = createServer()
  await t.rejects(
    listen(second, { host: '127.0.0.1', port, exclusive: true }, (error) => failures.push(error.message)),
    { code: 'EADDRINUSE' },
  )
  t.equal(failures.length, 2, 'which the caller hears of once')
})
