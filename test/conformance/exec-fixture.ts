/** Execs in a cluster, the second protocol of its kind. */

import { WebSocket } from 'ws'
import { newestSession } from '../e2e/books.ts'
import { issueClusterToken } from '../e2e/cluster-client.ts'
import type { Company } from '../e2e/company.ts'
import { clusterId } from '../sandbox/daemon-files.ts'
import { waitUntil } from '../wait-until.ts'
import type { KindFixture, OpenSession } from './kind-fixture.ts'
import { fixtures } from './kind-fixtures.ts'

const path = '/api/v1/namespaces/shop/pods/web-1/exec?command=cat&stdin=true&stdout=true'

/** @param ofCluster the fixture of its requests */
function execsOf(ofCluster: KindFixture): KindFixture {
  return {
    ...ofCluster,
    level: 'operate',
    open: async (company) => await (await execs.prepare(company))(),
    prepare: async (company) => {
      const token = await issueClusterToken(company)
      return () => open(company, token)
    },
    entries: [
      { type: 'terminal', stream: 'exec', pod: 'web-1', argv: ['cat'] },
      { type: 'output', text: 'hello' },
      { type: 'notice', text: /revoked/ },
      { type: 'end', streams: { stdin: { bytes: 5 }, stdout: { bytes: 5 } } },
    ],
  }
}

async function open(company: Company, token: string): Promise<OpenSession> {
  const url = new URL(`/k8s/${clusterId.replace('eks-cluster/', '')}${path}`, company.daemon.url)
  url.protocol = 'ws:'
  const socket = new WebSocket(url, 'v5.channel.k8s.io', { headers: { authorization: `Bearer ${token}` } })
  let shown = ''
  let isClosed = false
  socket.on('message', (data: Buffer) => {
    shown += data.toString('latin1')
  })
  socket.on('close', () => {
    isClosed = true
  })
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  socket.send(Buffer.from('\0hello'))
  await waitUntil(() => isClosed || shown.includes('hello'), 'it runs', 20_000)
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
      return shown
    },
  }
}

const ofCluster = fixtures['eks-cluster']
if (!ofCluster) throw new Error('there is no fixture of the kind')
export const execs: KindFixture = execsOf(ofCluster)
