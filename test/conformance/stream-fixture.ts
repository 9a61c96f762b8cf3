/** Streams through an instance, the second protocol of its kind. */

import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { WebSocket } from 'ws'
import { newestSession } from '../e2e/books.ts'
import type { Company } from '../e2e/company.ts'
import { arns, shellInstance } from '../sandbox/default-world.ts'
import { waitUntil } from '../wait-until.ts'
import type { KindFixture, OpenSession } from './kind-fixture.ts'

const level = 'ports'
const to = { host: 'web.internal', port: 80 }

export const streams: KindFixture = {
  resource: shellInstance,
  level,
  roleArn: arns.shells,
  open,
  prepare: async (company) => () => open(company),
  connections: ({ sandbox }) => sandbox.aws.ssm.sessions.length,
  replaced: null,
  entries: [
    { type: 'stream', forward: 'web.internal:80' },
    { type: 'notice' },
    { type: 'end', bytesUp: 5, bytesDown: 5 },
  ],
  broken: {
    resource: { id: `ec2-instance/111122223333/eu-west-1/${shellInstance}`, platform: 'windows' },
    level: {
      document: 'Sallyport-Shell',
      document_digest: 'd'.repeat(64),
      os_user: 'deploy',
      ssh: 'some',
      forward: [],
    },
    paths: ['resources[0].platform', 'levels[0].readonly.ssh', 'levels[0].readonly.forward'],
  },
}

/** What the instance leads to: it sends back what it gets. */
async function lead(company: Company): Promise<void> {
  const instance = company.sandbox.aws.world.instances.find(({ id }) => id === shellInstance)
  if (!instance || instance.reaches['web.internal:80']) return
  const server = createServer((socket) => void socket.on('error', () => {}).pipe(socket)).unref()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  instance.reaches['web.internal:80'] = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

async function open(company: Company): Promise<OpenSession> {
  await lead(company)
  const url = new URL('/api/v1/connect/tcp', company.daemon.url)
  url.protocol = 'ws:'
  url.search = new URLSearchParams({ resource: shellInstance, host: to.host, port: String(to.port) }).toString()
  const socket = new WebSocket(url, { headers: { cookie: company.cookie('alice'), origin: company.daemon.url } })
  const told: Record<string, unknown>[] = []
  let echoed = ''
  let isClosed = false
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (isBinary) echoed += data
    else told.push(JSON.parse(String(data)))
  })
  socket.once('close', () => {
    isClosed = true
  })
  await once(socket, 'open')
  await waitUntil(() => isClosed || told.length > 0, 'it is ready, or refused', 20_000)
  if (!told[0]?.ready) throw new Error(`refused: ${JSON.stringify(told)}`)
  socket.send(Buffer.from('hello'))
  await waitUntil(() => isClosed || echoed === 'hello', 'it is led there', 20_000)
  const id = await newestSession(company)
  const closes = () => waitUntil(() => isClosed, 'it is closed', 20_000)
  return {
    id,
    leave: async () => {
      socket.close()
      await closes()
    },
    told: async () => {
      await closes()
      return JSON.stringify(told)
    },
  }
}
